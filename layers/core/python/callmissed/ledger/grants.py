"""Grants of credits, each applied once, however often it is repeated: one transaction under an operation id."""

from collections.abc import Sequence
from functools import partial
from typing import TypedDict, Unpack

from callmissed.aws.attributes import Item
from callmissed.aws.database import Database
from callmissed.aws.dynamodb import TransactionCanceled
from callmissed.aws.operations import WriteOperation, put_new_operation, put_operation
from callmissed.clock import Micros, iso
from callmissed.errors import ApiError
from callmissed.ids import new_call_id
from callmissed.ledger.entries import Account, EntryType, LedgerEntry, to_record
from callmissed.ledger.history.checkpoints import late_operations
from callmissed.ledger.shards import all_wallets, credit_operations, transact_fresh
from callmissed.ledger.wallet import NO_BUDGET
from callmissed.money import MicroCredits
from callmissed.platform.tables import LEDGER, TENANTS

_BONUS = "signup-bonus"
_PAID = (EntryType.PURCHASE, EntryType.REFUND)


class EntryDetails(TypedDict, total=False):
    """What an entry says beside its amount: `kind` is `admin` unless given, `reference` the operation's id.

    `entry_id` is given where a retry of the caller has to make the same one; entries are shown in the order of ids.
    """

    kind: EntryType
    description: str
    reference: str
    entry_id: str


async def grant(
    database: Database,
    *,
    tenant: str,
    amount: MicroCredits,
    operation_id: str,
    now: Micros,
    also: Sequence[WriteOperation] = (),
    **details: Unpack[EntryDetails],
) -> bool:
    """Add `amount` to the tenant's credits, and execute `also`; both or neither. A debt is paid first.

    False when `operation_id` was already applied for this tenant. Raises as `grant_operations`, and TransactionCanceled
    when a condition of `also` does not hold.
    """
    return await apply_once(database, movement(tenant, amount, operation_id, now, **details), operation_id, also)


async def grant_operations(
    database: Database,
    tenant: str,
    amount: MicroCredits,
    operation_id: str,
    now: Micros,
    **details: Unpack[EntryDetails],
) -> list[WriteOperation]:
    """Operations that add `amount` once, for a transaction of the caller.

    The first one's condition fails when `operation_id` was applied before. Another's may fail when calls run at the
    same time and the wallet has shards: ask for new operations and try again.
    Raises ApiError 404 for an unknown tenant, ValueError for an amount below 1, or of a trillion credits or more,
    which is a typing error and would exceed the digits that DynamoDB stores, Unavailable when DynamoDB fails.
    """
    return await movement_operations(database, movement(tenant, amount, operation_id, now, **details), operation_id)


def movement(
    tenant: str,
    amount: MicroCredits,
    operation_id: str,
    now: Micros,
    *,
    taken: bool = False,
    **details: Unpack[EntryDetails],
) -> LedgerEntry:
    """The entry that adds `amount` to the tenant's credits, or that says that it is `taken`. Raises ValueError."""
    if not 1 <= amount < NO_BUDGET:
        raise ValueError("an entry moves at least one micro-credit, and less than a trillion credits")
    kind = details.get("kind", EntryType.ADMIN)
    source = Account.PAYMENTS if kind in _PAID else Account.PROMOTION
    debit, credit = (Account.AVAILABLE, source) if taken else (source, Account.AVAILABLE)
    return LedgerEntry(
        tenant,
        details.get("entry_id") or new_call_id(now, 1),
        kind,
        amount,
        debit,
        credit,
        now,
        description=details.get("description", ""),
        reference=details.get("reference") or operation_id,
    )


async def movement_operations(database: Database, entry: LedgerEntry, operation_id: str) -> list[WriteOperation]:
    """Operations that write `entry` and change the wallets by it, once for `operation_id`."""
    return [*_entry_operations(entry, operation_id), *await _wallet_operations(database, entry)]


async def was_applied(database: Database, tenant: str, operation_id: str) -> bool:
    """Whether credits of this tenant were moved under `operation_id`. Raises Unavailable."""
    return bool(await database.get(TENANTS, {"tenant": tenant, "item": f"PAYMENT#{operation_id}"}))


async def apply_once(database: Database, entry: LedgerEntry, operation_id: str, also: Sequence[WriteOperation]) -> bool:
    """Execute the entry's operations and `also`; False when `operation_id` was applied before."""
    fixed = [*_entry_operations(entry, operation_id), *also]
    try:
        return await transact_fresh(database, partial(_wallet_operations, database, entry), fixed)
    except TransactionCanceled as cancelled:
        if cancelled.reasons[0] == "ConditionalCheckFailed":
            return False
        raise


def _entry_operations(entry: LedgerEntry, operation_id: str) -> list[WriteOperation]:
    applied = {"tenant": entry.tenant, "item": f"PAYMENT#{operation_id}", "entry": entry.entry_id}
    return [
        put_new_operation(TENANTS, applied),
        put_operation(LEDGER, to_record(entry), must_not_exist=("entry",)),
        *late_operations(entry),
    ]


async def _wallet_operations(database: Database, entry: LedgerEntry) -> list[WriteOperation]:
    wallets = await all_wallets(database, entry.tenant)
    if not wallets:
        raise ApiError(404, "not_found", "No such tenant.")
    return credit_operations(wallets, entry.change)


def signup_bonus_operations(tenant: str, amount: MicroCredits, beneficiary: str, now: Micros) -> list[WriteOperation]:
    """Grant a new tenant its sign-up bonus, once for ever for a `beneficiary`, the hash of an address.

    The tenant's wallet is created with `amount` in the same transaction, which fails where the beneficiary had a bonus.
    """
    entry = movement(tenant, amount, _BONUS, now, kind=EntryType.SIGNUP_BONUS, description="Sign-up bonus")
    claimed = {**_bonus_key(beneficiary), "granted_at": iso(now)}
    return [put_new_operation(TENANTS, claimed), put_operation(LEDGER, to_record(entry))]


async def had_signup_bonus(database: Database, beneficiary: str) -> bool:
    """Whether the bonus was granted to `beneficiary` before. Raises Unavailable."""
    return bool(await database.get(TENANTS, _bonus_key(beneficiary)))


def _bonus_key(beneficiary: str) -> Item:
    return {"tenant": f"@bonus#{beneficiary}", "item": "BONUS"}
