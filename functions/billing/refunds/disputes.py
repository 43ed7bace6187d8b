"""Disputes: a buyer asked the bank for the money. One that is lost is a refund that the gateway made.

    <order id>   DISPUTE#<dispute>   a dispute of an order's payment: its status at the gateway, and what was decided

Callbacks come in any order and more than once. A dispute is decided more than once, too: a bank that lost may ask for
arbitration, and so may we. The latest decision counts, by the time at which the gateway has updated the dispute.
Raises Unavailable when DynamoDB does not answer.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from callmissed.aws.comparisons import begins_with
from callmissed.aws.database import Database
from callmissed.clock import Micros, iso
from callmissed.money import Paise
from callmissed.observability import count, get_logger
from callmissed.platform.tables import BILLING
from functions.billing.payments.cashfree_answers import report_unknown_status

_PREFIX = "DISPUTE#"
_STAGES = ("RETRIEVAL", "DISPUTE", "CHARGEBACK", "PRE_ARBITRATION", "ARBITRATION")
_OPEN = ("CREATED", "DOCS_RECEIVED", "UNDER_REVIEW", "INSUFFICIENT_EVIDENCE")
"""Insufficient evidence asks for more of it. A bank that hears no more decides that we have lost."""

_LOST, _WON = ("MERCHANT_LOST", "MERCHANT_ACCEPTED"), ("MERCHANT_WON",)

_logger = get_logger("disputes")


class DisputeOutcome(StrEnum):
    """Who has the money, as far as that was decided. An UNDECIDED dispute moved none for good."""

    UNDECIDED = "undecided"
    LOST = "lost"
    WON = "won"


@dataclass(frozen=True, slots=True)
class Dispute:
    """A dispute of `payment_id`, as a callback shows it; `updated` says how new that is."""

    order_id: str
    dispute_id: str
    payment_id: str
    gateway_order: str
    amount: Paise
    status: str
    updated: Micros

    @property
    def outcome(self) -> DisputeOutcome:
        """What the status says; a status that is not documented decides nothing."""
        if self._state in _LOST:
            return DisputeOutcome.LOST
        return DisputeOutcome.WON if self._state in _WON else DisputeOutcome.UNDECIDED

    @property
    def is_known(self) -> bool:
        """Whether the status is a documented one."""
        return self._state in (*_OPEN, *_LOST, *_WON)

    @property
    def rank(self) -> str:
        """Sorts what a dispute was after what it was before. Of two at one time, a later stage and a loss are last."""
        stage = _STAGES.index(self._stage) if self._stage else 0
        certainty = (DisputeOutcome.UNDECIDED, DisputeOutcome.WON, DisputeOutcome.LOST).index(self.outcome)
        return f"{self.updated:020} {stage} {certainty}"

    @property
    def _stage(self) -> str:
        return next((stage for stage in _STAGES if self.status.startswith(f"{stage}_")), "")

    @property
    def _state(self) -> str:
        return self.status.removeprefix(f"{self._stage}_") if self._stage else ""


@dataclass(frozen=True, slots=True)
class Ruling:
    """What was decided last about a dispute, and how often it was lost. Each loss takes the money anew."""

    outcome: DisputeOutcome
    losses: int


class Disputes:
    """The disputes of one stage."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def record(self, dispute: Dispute, now: Micros) -> Ruling:
        """Write what a callback shows, as far as it is news, and return what holds now. Rings for a new dispute."""
        key = {"id": dispute.order_id, "item": f"{_PREFIX}{dispute.dispute_id}"}
        known = await self._database.get(BILLING, key)
        new = _merged(known, dispute)
        if new and not dispute.is_known:
            report_unknown_status("dispute", dispute.status)
        if not known:
            _ring(dispute)  # before the write: a process that dies after it has rung
            known = await self._database.put_new(BILLING, {**key, **new, "seen": iso(now)})
        while known:
            new = _merged(known, dispute)
            expected = {name: known[name] for name in ("rank", "decided")}
            changes = {**new, "changed": iso(now)}
            if not new or await self._database.update_if(BILLING, key, set=changes, expected=expected):
                break
            known = await self._database.get(BILLING, key)
        return _ruling({**known, **new})


async def is_disputed(database: Database, order_id: str, payment_id: str) -> bool:
    """Whether a bank has still to decide about the payment."""
    found = database.query(BILLING, order_id, sort=begins_with(_PREFIX), consistent=True)
    return any([item["payment_id"] == payment_id and item["is_open"] async for item in found])


def _merged(known: Mapping[str, Any], dispute: Dispute) -> dict[str, Any]:
    """What changes in the stored dispute: the status if it is newer, and the outcome if that was decided later."""
    changes: dict[str, Any] = {}
    if not known:
        changes = {"payment_id": dispute.payment_id, "rank": "", "decided": "", "outcome": "undecided", "losses": 0}
    rank, is_open = dispute.rank, dispute.outcome is DisputeOutcome.UNDECIDED
    if rank > known.get("rank", ""):
        changes |= {"rank": rank, "status": dispute.status, "amount": dispute.amount, "is_open": is_open}
    if not is_open and rank > known.get("decided", ""):
        changes |= {"decided": rank, "outcome": str(dispute.outcome)}
        if dispute.outcome is DisputeOutcome.LOST and known.get("outcome") != DisputeOutcome.LOST:
            changes["losses"] = known.get("losses", 0) + 1
    return changes


def _ruling(item: Mapping[str, Any]) -> Ruling:
    return Ruling(DisputeOutcome(item["outcome"]), item["losses"])


def _ring(dispute: Dispute) -> None:
    count("PaymentDisputed")
    names = {"order": dispute.order_id, "dispute": dispute.dispute_id}
    _logger.error("a payment is disputed", extra=names)
