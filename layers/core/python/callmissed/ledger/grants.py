"""Grants of credits: one transaction under an operation id, so that a repeated grant is applied once."""

from collections.abc import Sequence

from callmissed.aws.attributes import Item
from callmissed.aws.database import Database
from callmissed.aws.dynamodb import TransactionCanceled
from callmissed.aws.operations import WriteOperation, put_new_operation, put_operation
from callmissed.clock import Micros, iso
from callmissed.errors import ApiError
from callmissed.ids import new_call_id
from callmissed.ledger.entries import Account, EntryType, LedgerEntry, to_record
from callmissed.ledger.records import grant_operation
from callmissed.ledger.wallet import NO_BUDGET
from callmissed.money import MicroCredits
from callmissed.platform.tables import LEDGER, TENANTS

_BONUS = "signup-bonus"
_SOURCES = {EntryType.PURCHASE: Account.PAYMENTS}


async def grant(
    database: Database,
    *,
    tenant: str,
    amount: MicroCredits,
    operation_id: str,
    now: Micros,
    kind: EntryType = EntryType.ADMIN,
    description: str = "",
    audit: Sequence[WriteOperation] = (),
) -> bool:
    """Add `amount` to the wallet. False when `operation_id` was already applied for this tenant.

    `audit` has operations that are written in the same transaction.
    Raises ApiError 404 for an unknown tenant, ValueError for an amount below 1, or of a trillion credits or more,
    which is a typing error and would exceed the digits that DynamoDB stores, Unavailable when DynamoDB fails.
    """
    operations = grant_operations(tenant, amount, operation_id, now, kind=kind, description=description)
    try:
        await database.transact([*operations, *audit])
    except TransactionCanceled as cancelled:
        if cancelled.reasons[0] == "ConditionalCheckFailed":
            return False
        raise ApiError(404, "not_found", "No such tenant.") from cancelled
    return True


def grant_operations(
    tenant: str,
    amount: MicroCredits,
    operation_id: str,
    now: Micros,
    *,
    kind: EntryType = EntryType.ADMIN,
    description: str = "",
) -> list[WriteOperation]:
    """Add `amount` to the wallet, in a transaction that fails, by its first operation, where it was done before.

    Raises ValueError as `grant` does.
    """
    if not 1 <= amount < NO_BUDGET:
        raise ValueError("a grant adds at least one micro-credit, and less than a trillion credits")
    entry = LedgerEntry(
        tenant,
        new_call_id(now, 1),
        kind,
        amount,
        _SOURCES.get(kind, Account.PROMOTION),
        Account.AVAILABLE,
        now,
        description=description,
        reference=operation_id,
    )
    payment = {"tenant": tenant, "item": f"PAYMENT#{operation_id}", "entry": entry.entry_id}
    return [
        put_new_operation(TENANTS, payment),
        put_operation(LEDGER, to_record(entry)),
        grant_operation(tenant, amount),
    ]


def signup_bonus_operations(tenant: str, amount: MicroCredits, beneficiary: str, now: Micros) -> list[WriteOperation]:
    """Grant a new tenant its sign-up bonus, once for ever for a `beneficiary`, the hash of an address.

    The tenant's wallet is created with `amount` in the same transaction, which fails where the beneficiary had a bonus.
    """
    entry = LedgerEntry(
        tenant,
        new_call_id(now, 1),
        EntryType.SIGNUP_BONUS,
        amount,
        Account.PROMOTION,
        Account.AVAILABLE,
        now,
        description="Sign-up bonus",
        reference=_BONUS,
    )
    claimed = {**_bonus_key(beneficiary), "granted_at": iso(now)}
    return [put_new_operation(TENANTS, claimed), put_operation(LEDGER, to_record(entry))]


async def had_signup_bonus(database: Database, beneficiary: str) -> bool:
    """Whether the bonus was granted to `beneficiary` before. Raises Unavailable."""
    return bool(await database.get(TENANTS, _bonus_key(beneficiary)))


def _bonus_key(beneficiary: str) -> Item:
    return {"tenant": f"@bonus#{beneficiary}", "item": "BONUS"}
