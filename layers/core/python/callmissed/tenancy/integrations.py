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

from callmissed.aws.attributes import Item
from callmissed.aws.comparisons import equal, missing_or
from callmissed.aws.database import Database
from callmissed.aws.dynamodb import TransactionCanceled
from callmissed.aws.operations import (
    WriteOperation,
    delete_operation,
    put_new_operation,
    put_operation,
    update_operation,
)
from callmissed.clock import iso
from callmissed.errors import ApiError
from callmissed.platform.tables import TENANTS
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

    def __init__(self, database: Database) -> None:
        self._database = database

    async def save(self, tenant: str, credentials: Credentials, sealer: Sealer, now: int) -> Item:
        """Save `credentials` in the place of those before; returns their record.

        Raises ApiError 409 when the account belongs to another tenant, or the integration changed at the same time.
        """
        seen = await self.get(tenant, credentials.provider)
        record = _record(tenant, credentials, sealer, now, rev=seen.get("rev", 0) + 1)
        operations = [_put_record(record, seen), _put_account(record, credentials), *_moved(record, seen)]
        try:
            await self._database.transact(operations)
        except TransactionCanceled as error:
            taken = error.reasons[1] == "ConditionalCheckFailed"
            raise _taken() if taken else _changed_meanwhile() from None
        return record

    async def get(self, tenant: str, provider: str) -> Item:
        """The tenant's record for `provider`, strongly consistent; empty when there is none."""
        return await self._database.get(TENANTS, {"tenant": tenant, "item": _PREFIX + provider})

    async def find(self, account: str) -> Account | None:
        """The account as it is now, strongly consistent."""
        item = await self._account(account)
        return Account(item["owner"], item["secret"], item["allow_unsigned"]) if item else None

    async def knows_verify_token(self, token: str) -> bool:
        """Whether a tenant chose `token` for Meta's handshake."""
        return bool((await self._account(_verifier(token))).get("owners"))

    async def _account(self, account: str) -> Item:
        return await self._database.get(TENANTS, _account_key(account))


def shown(record: Item, kind: type[Credentials], sealer: Sealer) -> dict[str, Any]:
    """The credentials as people see them, secrets masked. Raises UnsealError."""
    seen = {name: value for name, value in record.items() if name not in _BOOKKEEPING}
    return seen | {name: masked(sealer.unseal(seen[name]) if seen[name] else "") for name in kind.secrets}


def _put_record(record: Item, before: Item) -> WriteOperation:
    if before:
        return put_operation(TENANTS, record, expected={"rev": before["rev"]})
    return put_new_operation(TENANTS, record)


def _put_account(record: Item, credentials: Credentials) -> WriteOperation:
    account = {
        "tenant": record["account"],
        "item": _ACCOUNT,
        "owner": record["tenant"],
        "secret": record[credentials.signing],
        "allow_unsigned": record.get("allow_unsigned", False),
    }
    return put_operation(TENANTS, account, expected={"owner": missing_or(equal(record["tenant"]))})


def _moved(record: Item, seen: Item) -> list[WriteOperation]:
    """Lead the new account and verify token to the tenant, and the earlier ones nowhere."""
    tenant = record["tenant"]
    operations: list[WriteOperation] = []
    if seen and seen["account"] != record["account"]:
        operations.append(delete_operation(TENANTS, _account_key(seen["account"]), expected={"owner": tenant}))
    before, after = seen.get("verifier"), record.get("verifier")
    if before == after:
        return operations
    owners = {"owners": frozenset({tenant})}
    if before:
        operations.append(update_operation(TENANTS, _account_key(before), discard=owners, upsert=True))
    if after:
        operations.append(update_operation(TENANTS, _account_key(after), add=owners, upsert=True))
    return operations


def _account_key(account: str) -> Item:
    return {"tenant": account, "item": _ACCOUNT}


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
