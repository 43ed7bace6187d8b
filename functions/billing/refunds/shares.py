"""Shares of refunds in an order's price and credits, without I/O.

A refund that somebody else makes, at the gateway or a bank, takes money whatever we think is left of the price: what is
above that is not counted. Where another refund fails, its share goes to such refunds first: that money is gone. So the
sums of an order are always those of its refunds that have not failed.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from callmissed.money import MicroCredits, Paise
from functions.billing.payments.refund_records import Refund, RefundOrigin, RefundState

_MADE_ELSEWHERE = (RefundOrigin.GATEWAY, RefundOrigin.DISPUTE)


class RefundChange(NamedTuple):
    """A refund as it was, None for a new one, and as it is to be."""

    before: Refund | None
    after: Refund


class Sums(NamedTuple):
    """Part of an order's price that goes back, part that went back, and credits that are taken for it."""

    refunded: int
    paid_back: int
    returned: int


def is_taken(refund: Refund | None) -> bool:
    """Whether the refund's share is gone from the order."""
    return refund is not None and refund.state is not RefundState.FAILED


def added(changes: Sequence[RefundChange]) -> Sums:
    """What the changes add to the order's sums."""
    pairs = [(_share(change.before), _share(change.after)) for change in changes]
    return Sums(*(sum(after[name] - before[name] for before, after in pairs) for name in range(len(Sums._fields))))


def handed_over(failed: Refund, others: Sequence[Refund]) -> tuple[Refund, list[RefundChange]]:
    """A refund that has failed, with the share that is left to it, and the changes of `others` that get the rest."""
    changes: list[RefundChange] = []
    rest = failed
    for other in others:
        part = Paise(min(rest.counted, other.amount - other.counted))
        if other.origin in _MADE_ELSEWHERE and is_taken(other) and part > 0:
            credits = MicroCredits(rest.credits * part // rest.counted)
            more = replace(other, counted=Paise(other.counted + part), credits=MicroCredits(other.credits + credits))
            changes.append(RefundChange(other, more))
            rest = replace(rest, counted=Paise(rest.counted - part), credits=MicroCredits(rest.credits - credits))
    return rest, changes


def _share(refund: Refund | None) -> Sums:
    if refund is None or not is_taken(refund):
        return Sums(0, 0, 0)
    paid_back = refund.counted if refund.state is RefundState.SUCCEEDED else 0
    return Sums(refund.counted, paid_back, refund.credits)
