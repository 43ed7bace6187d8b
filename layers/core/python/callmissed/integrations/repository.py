"""Integrations: credentials of a tenant's own providers, and the look-up of a callback's tenant.

Items of the table `tenants`:

    <tenant>                 INTEGRATION#<provider>   the credentials, secrets sealed; rev counts changes
    @whatsapp#<number id>    ACCOUNT                  owner, sealed signing secret, whether unsigned callbacks pass,
                                                      and whether the owner has proven with Meta that it is theirs
    @twilio#<sid>#<number>   ACCOUNT                  the same
    @whatsapp-business#<id>  ACCOUNT                  the same of a WhatsApp Business account (WABA), as proven last
    @whatsapp-verify#<hash>  ACCOUNT                  owners: the tenants whose credentials have this verify token;
                                                      proven: those that proved a number with it

Credentials and their look-up items change in one transaction. An account has one owner at most; a verify token,
which tenants choose, may have several. An account that was proven (`callmissed.integrations.ownership`) stays its
owner's whatever the credentials name.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from callmissed.audit.events import AuditEvent, audit_operation
from callmissed.aws.attributes import Item
from callmissed.aws.comparisons import equal, missing_or
from callmissed.aws.database import Database
from callmissed.aws.dynamodb import TransactionCanceled
from callmissed.aws.operations import (
    Conditions,
    WriteOperation,
    delete_operation,
    put_new_operation,
    put_operation,
    update_operation,
)
from callmissed.clock import Micros, iso
from callmissed.errors import ApiError
from callmissed.integrations.credentials import Credentials, WhatsAppCredentials, masked
from callmissed.platform.tables import TENANTS
from callmissed.sealing import Sealer

_PREFIX = "INTEGRATION#"
_ACCOUNT = "ACCOUNT"


@dataclass(frozen=True, slots=True)
class Integration:
    """A tenant's credentials of `provider` as they are stored: `fields` by name, the secret ones sealed.

    `revision` counts changes, `account` is None for a provider without callbacks, `verifier` is the account of
    WhatsApp's verify token; `updated_at` is ISO 8601.
    """

    tenant: str
    provider: str
    account: str | None
    verifier: str | None
    fields: Mapping[str, Any]
    revision: int
    updated_at: str


@dataclass(frozen=True, slots=True)
class ProviderAccount:
    """Owner of an account's callbacks, which are verified by a signature with `secret` (sealed).

    Without a secret, callbacks are accepted only with `allow_unsigned`. Nobody takes a `proven` account by naming it.
    """

    tenant: str
    secret: str | None
    allow_unsigned: bool
    proven: bool = False


AuditOf = Callable[[Integration | None, Integration], AuditEvent]
"""The event of a change, of the integration before and after it."""


class Integrations:
    """The integrations of one stage. Every method raises Unavailable when DynamoDB does not answer."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def save(
        self, tenant: str, credentials: Credentials, sealer: Sealer, now: Micros, *, audit: AuditOf | None = None
    ) -> Integration:
        """Save `credentials`, replacing earlier ones, with `audit`'s event in the same transaction.

        Raises ApiError 409 when the account belongs to another tenant, or the integration changed at the same time.
        """
        before = await self.get(tenant, credentials.provider)
        saved = _integration(tenant, credentials, sealer, now, revision=before.revision + 1 if before else 1)
        known = await self.find(saved.account) if saved.account else None
        left = await self._left(saved, before)
        operations = [
            *_put_account(saved, credentials, known),
            _put_record(saved, before),
            *_moved(saved, before, left),
        ]
        operations += [audit_operation(audit(before, saved), now)] if audit else []
        try:
            await self._database.transact(operations)
        except TransactionCanceled as error:
            taken = saved.account and error.reasons[0] == "ConditionalCheckFailed"
            raise _taken() if taken else _changed_meanwhile() from None
        return saved

    async def get(self, tenant: str, provider: str) -> Integration | None:
        """The tenant's credentials of `provider`, strongly consistent."""
        record = await self._database.get(TENANTS, {"tenant": tenant, "item": _PREFIX + provider})
        return _integration_of(record) if record else None

    async def find(self, account: str) -> ProviderAccount | None:
        """The account as it is now, strongly consistent."""
        item = await self._account(account)
        return _account_of(item) if item else None

    async def knows_verify_token(self, token: str) -> bool:
        """Whether a tenant chose `token` for Meta's handshake."""
        item = await self._account(verifier_of(token))
        return bool(item.get("owners") or item.get("proven"))

    async def _left(self, after: Integration, before: Integration | None) -> str | None:
        """The earlier account, if nothing but the earlier credentials made it the tenant's."""
        if not before or not before.account or before.account == after.account:
            return None
        account = await self.find(before.account)
        return before.account if account and account.tenant == after.tenant and not account.proven else None

    async def _account(self, account: str) -> Item:
        return await self._database.get(TENANTS, account_key(account))


def shown(integration: Integration, kind: type[Credentials], sealer: Sealer) -> dict[str, Any]:
    """The credentials as people see them, secrets masked. Raises UnsealError."""
    fields = integration.fields
    secrets = {name: masked(sealer.unseal(fields[name]) if fields[name] else "") for name in kind.secrets}
    return {**fields, **secrets}


def unsealed(integration: Integration, kind: type[Credentials], sealer: Sealer) -> Credentials:
    """The credentials as they are used. Raises UnsealError."""
    fields = integration.fields
    secrets = {name: sealer.unseal(fields[name]) if fields[name] else "" for name in kind.secrets}
    return kind.model_validate({**fields, **secrets})


def _put_record(integration: Integration, before: Integration | None) -> WriteOperation:
    record = _to_record(integration)
    if before:
        return put_operation(TENANTS, record, expected={"rev": before.revision})
    return put_new_operation(TENANTS, record)


def _put_account(
    integration: Integration, credentials: Credentials, known: ProviderAccount | None
) -> list[WriteOperation]:
    """A proven account keeps its secret where the credentials have none."""
    if integration.account is None:
        return []
    secret = integration.fields[credentials.signing] or (known.secret if known and known.proven else None)
    account = {
        "owner": integration.tenant,
        "secret": secret,
        "allow_unsigned": integration.fields.get("allow_unsigned", False),
    }
    expected = {"owner": missing_or(equal(integration.tenant))}
    return [update_operation(TENANTS, account_key(integration.account), set=account, expected=expected, upsert=True)]


def _moved(after: Integration, before: Integration | None, left: str | None) -> list[WriteOperation]:
    """Point the new verify token to the tenant, and remove the earlier one and the account that is `left`."""
    operations: list[WriteOperation] = []
    if left:
        conditions: Conditions = {"expected": {"owner": after.tenant}, "must_not_exist": ("proven",)}
        operations.append(delete_operation(TENANTS, account_key(left), **conditions))
    earlier = before.verifier if before else None
    if earlier == after.verifier:
        return operations
    owners = {"owners": frozenset({after.tenant})}
    if earlier:
        operations.append(update_operation(TENANTS, account_key(earlier), discard=owners, upsert=True))
    if after.verifier:
        operations.append(update_operation(TENANTS, account_key(after.verifier), add=owners, upsert=True))
    return operations


def account_key(account: str) -> Item:
    """Key of an account's item."""
    return {"tenant": account, "item": _ACCOUNT}


def _account_of(item: Item) -> ProviderAccount:
    return ProviderAccount(item["owner"], item["secret"], item["allow_unsigned"], item.get("proven", False))


def _integration(tenant: str, credentials: Credentials, sealer: Sealer, now: Micros, *, revision: int) -> Integration:
    fields = credentials.model_dump()
    sealed = {name: sealer.seal(fields[name]) if fields[name] else None for name in credentials.secrets}
    verifier = verifier_of(credentials.verify_token) if isinstance(credentials, WhatsAppCredentials) else None
    return Integration(
        tenant=tenant,
        provider=credentials.provider,
        account=credentials.account,
        verifier=verifier,
        fields={**fields, **sealed},
        revision=revision,
        updated_at=iso(now),
    )


def _to_record(integration: Integration) -> Item:
    named = {"account": integration.account, "verifier": integration.verifier}
    return {
        "tenant": integration.tenant,
        "item": _PREFIX + integration.provider,
        "fields": dict(integration.fields),
        "rev": integration.revision,
        "updated_at": integration.updated_at,
        **{name: value for name, value in named.items() if value},
    }


def _integration_of(record: Item) -> Integration:
    return Integration(
        tenant=record["tenant"],
        provider=record["item"].removeprefix(_PREFIX),
        account=record.get("account"),
        verifier=record.get("verifier"),
        fields=record["fields"],
        revision=record["rev"],
        updated_at=record["updated_at"],
    )


def verifier_of(token: str) -> str:
    """The account of a verify token of Meta's handshake."""
    return f"@whatsapp-verify#{hashlib.sha256(token.encode()).hexdigest()}"


def _taken() -> ApiError:
    return ApiError(409, "conflict", "This number is connected to another tenant.")


def _changed_meanwhile() -> ApiError:
    return ApiError(409, "conflict", "The integration changed at the same time. Please retry.")
