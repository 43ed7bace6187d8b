"""Statuses of disputes: every documented one has its meaning, and no other decides anything."""

from itertools import product

import pytest

from callmissed.clock import Micros
from callmissed.money import Paise
from functions.billing.refunds.disputes import Dispute, DisputeOutcome

STAGES = ("RETRIEVAL", "DISPUTE", "CHARGEBACK", "PRE_ARBITRATION", "ARBITRATION")
STATES = {
    "CREATED": DisputeOutcome.UNDECIDED,
    "DOCS_RECEIVED": DisputeOutcome.UNDECIDED,
    "UNDER_REVIEW": DisputeOutcome.UNDECIDED,
    "INSUFFICIENT_EVIDENCE": DisputeOutcome.UNDECIDED,
    "MERCHANT_WON": DisputeOutcome.WON,
    "MERCHANT_LOST": DisputeOutcome.LOST,
    "MERCHANT_ACCEPTED": DisputeOutcome.LOST,
}


def dispute(status: str, updated: int = 1) -> Dispute:
    return Dispute("cm_1", "4", "5", "cm_1", Paise(9_900), status, Micros(updated))


@pytest.mark.parametrize(("stage", "state"), list(product(STAGES, STATES)))
def test_documented_status(stage: str, state: str) -> None:
    found = dispute(f"{stage}_{state}")
    assert (found.is_known, found.outcome) == (True, STATES[state])


@pytest.mark.parametrize(
    "status",
    [
        "MERCHANT_LOST",
        "_MERCHANT_LOST",
        "LOST",
        "CHARGEBACK_LOST",
        "CHARGEBACK_MERCHANT_LOST_",
        "CHARGEBACK_CHARGEBACK_MERCHANT_LOST",
        "PRE_CHARGEBACK_MERCHANT_WON",
        "COMPLIANCE_MERCHANT_LOST",
        "chargeback_merchant_lost",
        "CHARGEBACK",
        " ",
    ],
)
def test_other_status_decides_nothing(status: str) -> None:
    found = dispute(status)
    assert (found.is_known, found.outcome) == (False, DisputeOutcome.UNDECIDED)


def test_later_time_then_later_stage_then_decision_then_loss_sorts_last() -> None:
    in_order = [
        dispute("ARBITRATION_MERCHANT_LOST", 1),
        dispute("UNHEARD_OF", 2),
        dispute("CHARGEBACK_CREATED", 2),
        dispute("CHARGEBACK_MERCHANT_WON", 2),
        dispute("CHARGEBACK_MERCHANT_LOST", 2),
        dispute("PRE_ARBITRATION_CREATED", 2),
        dispute("RETRIEVAL_CREATED", 10),
    ]
    assert sorted(in_order, key=lambda each: each.rank) == in_order
