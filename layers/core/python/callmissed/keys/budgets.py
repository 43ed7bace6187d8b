"""Charges to the monthly budgets of keys, as holds name them, and what gives them back when their process died.

A hold has room for a few bytes only: a key is named by four, which are looked up among the keys of its tenant.
"""

from zlib import crc32

from callmissed.aws.database import Database
from callmissed.aws.operations import WriteOperation
from callmissed.keys.admission import Admitted
from callmissed.keys.records import read_api_keys, read_key_item, return_operation
from callmissed.ledger.wallet import KeyCharge
from callmissed.observability import get_logger

_logger = get_logger("keys")


def charge_of(admitted: Admitted) -> KeyCharge | None:
    """The charge to the key's budget for its call's hold; None for a key without a budget."""
    key = admitted.key
    return KeyCharge(short_name(key.key_id), admitted.charged, key.month) if key.has_budget else None


def short_name(key_id: str) -> bytes:
    """The name of a key in its tenant's holds. Two keys of a thousand share one once in ten thousand tenants."""
    return crc32(key_id.encode()).to_bytes(4)


class KeyBudgets:
    """The budgets of one stage's keys; implements `callmissed.ledger.sweep.KeyRefunds`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def refund_operation(self, tenant: str, charge: KeyCharge) -> WriteOperation | None:
        """The operation that returns `charge` to the key's newest secret, to which a rotation moves what is left.

        None when the key is unknown, and when a new month with a new budget has begun. Raises Unavailable.
        """
        named = [key for key in await read_api_keys(self._database, tenant) if short_name(key.key_id) == charge.key]
        if len(named) != 1:
            _logger.error("a charge names no key, or several", extra={"tenant": tenant, "keys": len(named)})
            return None
        item = await read_key_item(self._database, named[0].newest)
        if item and item.month != charge.month:
            return None
        return return_operation(named[0].newest, charge.amount, charge.month)
