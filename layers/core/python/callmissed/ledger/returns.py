"""Credits taken back: refunds, and an operator's corrections, each once, as grants are.

Credits that are spent already become a debt (docs/decisions/0026-debt.md): calls are refused until later credits have
paid it.
"""

from collections.abc import Sequence
from typing import Unpack

from callmissed.aws.database import Database
from callmissed.aws.operations import WriteOperation
from callmissed.clock import Micros
from callmissed.ledger.entries import EntryType
from callmissed.ledger.grants import EntryDetails, apply_once, movement, movement_operations
from callmissed.money import MicroCredits


async def take_back(
    database: Database,
    *,
    tenant: str,
    amount: MicroCredits,
    operation_id: str,
    now: Micros,
    also: Sequence[WriteOperation] = (),
    **details: Unpack[EntryDetails],
) -> bool:
    """Take `amount` of the tenant's credits back, and execute `also`; both or neither.

    The entry's kind is `refund` unless given. Returns and raises as `callmissed.ledger.grants.grant`, with which it
    shares the operation ids.
    """
    entry = movement(tenant, amount, operation_id, now, taken=True, **_refund(details))
    return await apply_once(database, entry, operation_id, also)


async def return_operations(
    database: Database,
    tenant: str,
    amount: MicroCredits,
    operation_id: str,
    now: Micros,
    **details: Unpack[EntryDetails],
) -> list[WriteOperation]:
    """Operations that take `amount` back once; as `callmissed.ledger.grants.grant_operations`."""
    entry = movement(tenant, amount, operation_id, now, taken=True, **_refund(details))
    return await movement_operations(database, entry, operation_id)


def _refund(details: EntryDetails) -> EntryDetails:
    return {"kind": EntryType.REFUND, **details}
