"""Integrations: credentials of the providers that a tenant brings, and the way from a callback back to its tenant.

Items of the table `tenants`:

    <tenant>                 INTEGRATION#<provider>   the credentials, secrets sealed; rev counts changes
    @whatsapp#<number id>    ACCOUNT                  owner, sealed signing secret, whether unsigned callbacks pass
    @twilio#<sid>#<number>   ACCOUNT                  the same
    @whatsapp-verify#<hash>  ACCOUNT                  owners: the tenants that chose this verify token

Credentials and the items that lead to them change in one transaction. An account has one owner at most; a verify token,
which people make up, may have several.
"""

import hashlib
from dataclasses import dataclass
from typing import Any

from callmissed.aws.attributes import Item, to_item
from callmissed.aws.dynamodb import DynamoDB, TransactionCanceled
from callmissed.aws.items import read_item, transact
from callmissed.clock import iso
from callmissed.errors import ApiError
from callmissed.keys.records import delete
from callmissed.platform.tables import TENANTS, physical_name
from callmissed.sealing import Sealer
from callmissed.tenancy.credentials import Credentials, WhatsAppCredentials, masked

_PREFIX = "INTEGRATION#"
_ACCOUNT = "ACCOUNT"
_BOOKKEEPING = frozenset({"tenant", "item", "account", "verifier", "rev", "updated_at"})


@dataclass(frozen=True, slots=True)
class Account:
    """Whose callbacks an account's are, and how they are known: by a signature with `secret` (sealed).

    Without a secret they are trusted only if `allow_unsigned`.
    """

    tenant: str
    secret: str | None
    allow_unsigned: bool


class Integrations:
    """The integrations of one stage. Every method raises Unavailable when DynamoDB does not answer."""

    def __init__(self, dynamodb: DynamoDB, stage: str) -> None:
        self._dynamodb = dynamodb
        self._stage = stage

    async def save(self, tenant: str, credentials: Credentials, sealer: Sealer, now: int) -> Item:
        """Save `credentials` in the place of those before; returns their record.

        Raises ApiError 409 when the account belongs to another tenant, or the integration changed at the same time.
        """
        seen = await self.get(tenant, credentials.provider)
        record = _record(tenant, credentials, sealer, now, rev=seen.get("rev", 0) + 1)
        parts = [self._put_record(record, seen), self._put_account(record, credentials), *self._moved(record, seen)]
        try:
            await transact(self._dynamodb, parts)
        except TransactionCanceled as error:
            taken = error.reasons[1] == "ConditionalCheckFailed"
            raise _taken() if taken else _changed_meanwhile() from None
        return record

    async def get(self, tenant: str, provider: str) -> Item:
        """The tenant's record for `provider`, strongly consistent; empty when there is none."""
        return await read_item(self._dynamodb, self._stage, TENANTS, {"tenant": tenant, "item": _PREFIX + provider})

    async def find(self, account: str) -> Account | None:
        """The account as it is now, strongly consistent."""
        item = await self._account(account)
        return Account(item["owner"], item["secret"], item["allow_unsigned"]) if item else None

    async def knows_verify_token(self, token: str) -> bool:
        """Whether a tenant chose `token` for Meta's handshake."""
        return bool((await self._account(_verifier(token))).get("owners"))

    async def _account(self, account: str) -> Item:
        return await read_item(self._dynamodb, self._stage, TENANTS, {"tenant": account, "item": _ACCOUNT})

    def _put_record(self, record: Item, seen: Item) -> dict[str, Any]:
        part: dict[str, Any] = {"TableName": self._table, "Item": to_item(record)}
        if seen:
            values = to_item({":rev": seen["rev"]})
            return {"Put": part | {"ConditionExpression": "rev = :rev", "ExpressionAttributeValues": values}}
        return {"Put": part | {"ConditionExpression": "attribute_not_exists(tenant)"}}

    def _put_account(self, record: Item, credentials: Credentials) -> dict[str, Any]:
        account = {
            "tenant": record["account"],
            "item": _ACCOUNT,
            "owner": record["tenant"],
            "secret": record[credentials.signing],
            "allow_unsigned": record.get("allow_unsigned", False),
        }
        part: dict[str, Any] = {
            "TableName": self._table,
            "Item": to_item(account),
            "ConditionExpression": "attribute_not_exists(tenant) OR #owner = :tenant",
            "ExpressionAttributeNames": {"#owner": "owner"},
            "ExpressionAttributeValues": to_item({":tenant": record["tenant"]}),
        }
        return {"Put": part}

    def _moved(self, record: Item, seen: Item) -> list[dict[str, Any]]:
        """Lead the new account and verify token to the tenant, and the earlier ones nowhere."""
        parts: list[dict[str, Any]] = []
        if seen and seen["account"] != record["account"]:
            key = {"tenant": seen["account"], "item": _ACCOUNT}
            parts.append(delete(self._stage, TENANTS, key, {"owner": record["tenant"]}))
        before, after = seen.get("verifier"), record.get("verifier")
        if before == after:
            return parts
        changes = ((before, "DELETE"), (after, "ADD"))
        return parts + [self._own(verifier, record["tenant"], verb) for verifier, verb in changes if verifier]

    def _own(self, verifier: str, tenant: str, verb: str) -> dict[str, Any]:
        part: dict[str, Any] = {
            "TableName": self._table,
            "Key": to_item({"tenant": verifier, "item": _ACCOUNT}),
            "UpdateExpression": f"{verb} owners :tenant",
            "ExpressionAttributeValues": to_item({":tenant": frozenset({tenant})}),
        }
        return {"Update": part}

    @property
    def _table(self) -> str:
        return physical_name(self._stage, TENANTS)


def shown(record: Item, kind: type[Credentials], sealer: Sealer) -> dict[str, Any]:
    """The credentials as people see them, secrets masked. Raises UnsealError."""
    seen = {name: value for name, value in record.items() if name not in _BOOKKEEPING}
    return seen | {name: masked(sealer.unseal(seen[name]) if seen[name] else "") for name in kind.secrets}


def _record(tenant: str, credentials: Credentials, sealer: Sealer, now: int, *, rev: int) -> Item:
    fields = credentials.model_dump()
    sealed = {name: sealer.seal(fields[name]) if fields[name] else None for name in credentials.secrets}
    record = {
        "tenant": tenant,
        "item": _PREFIX + credentials.provider,
        **fields,
        **sealed,
        "account": credentials.account,
        "rev": rev,
        "updated_at": iso(now),
    }
    if isinstance(credentials, WhatsAppCredentials):
        record["verifier"] = _verifier(credentials.verify_token)
    return record


def _verifier(token: str) -> str:
    return f"@whatsapp-verify#{hashlib.sha256(token.encode()).hexdigest()}"


def _taken() -> ApiError:
    return ApiError(409, "conflict", "This number is connected to another tenant.")


def _changed_meanwhile() -> ApiError:
    return ApiError(409, "conflict", "The integration changed at the same time. Please retry.")
