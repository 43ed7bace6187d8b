"""Disputes: a buyer asked the bank for the money. One that is lost is a refund that the gateway made.

    <order id>   DISPUTE#<dispute>   a dispute of the order's payment, and its status at the gateway

Callbacks come in any order and more than once. A dispute that was decided stays decided, but for one that was won at
first and is lost in the end. Raises Unavailable when DynamoDB does not answer.
"""

from dataclasses import dataclass

from callmissed.aws.database import Database
from callmissed.clock import Micros, iso
from callmissed.money import Paise
from callmissed.observability import count, get_logger
from callmissed.platform.tables import BILLING

_LOST, _WON = ("_LOST", "_ACCEPTED"), ("_WON",)

_logger = get_logger("disputes")


@dataclass(frozen=True, slots=True)
class Dispute:
    """A dispute of `payment_id`, as a callback shows it."""

    order_id: str
    dispute_id: str
    payment_id: str
    gateway_order: str
    amount: Paise
    status: str

    @property
    def is_lost(self) -> bool:
        """Whether the money is gone."""
        return self.status.endswith(_LOST)


class Disputes:
    """The disputes of one stage."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def record(self, dispute: Dispute, now: Micros) -> None:
        """Write the dispute as it is now, and ring for a new one."""
        key = {"id": dispute.order_id, "item": f"DISPUTE#{dispute.dispute_id}"}
        known = await self._database.get(BILLING, key)
        if not known:
            _ring(dispute)  # before the write: a process that dies after it has rung
            known = await self._database.put_new(BILLING, {**key, **_record(dispute), "seen": iso(now)})
        if not known:
            return
        changes, final = {**_record(dispute), "changed": iso(now)}, _LOST if dispute.is_lost else (*_LOST, *_WON)
        while not known["status"].endswith(final):
            if await self._database.update_if(BILLING, key, set=changes, expected={"status": known["status"]}):
                return
            known = await self._database.get(BILLING, key)


def _ring(dispute: Dispute) -> None:
    count("PaymentDisputed")
    _logger.error("a payment is disputed", extra={"order": dispute.order_id, "status": dispute.status})


def _record(dispute: Dispute) -> dict[str, str | int]:
    return {"payment_id": dispute.payment_id, "amount": dispute.amount, "status": dispute.status}
