"""Which requests a fault hits."""

import pytest
from pydantic import ValidationError

from local.fakes.graph.faults import Fault, FaultKind, Faults


def hits(faults: Faults, user: str, count: int, on: str = "messages", family: str = "request") -> list[bool]:
    return [bool(faults.hit(family, on, user)) for _ in range(count)]


def test_fault_hits_once_by_default_after_those_that_pass() -> None:
    faults = Faults(0)
    faults.add(Fault(kind=FaultKind.LOSE_ANSWER, after=2))
    assert hits(faults, "1", 5) == [False, False, True, False, False]


def test_fault_hits_its_user_and_operation_alone() -> None:
    faults = Faults(0)
    faults.add(Fault(kind=FaultKind.ERROR, code=131026, to="2", on="read", times=None))
    assert hits(faults, "1", 2, "read") == [False, False]
    assert hits(faults, "2", 2) == [False, False]
    assert hits(faults, "2", 2, "read") == [True, True]


def test_probability_follows_from_the_seed_and_not_from_other_users() -> None:
    def drawn(seed: int, *others: str) -> list[bool]:
        faults = Faults(seed)
        faults.add(Fault(kind=FaultKind.LOSE_ANSWER, probability=0.5, times=None))
        for other in others:
            hits(faults, other, 7)
        return hits(faults, "1", 50)

    assert drawn(1) == drawn(1, "2", "3")
    assert drawn(1) != drawn(2)
    assert 10 < sum(drawn(1)) < 40


def test_cleared_faults_hit_nothing() -> None:
    faults = Faults(0)
    faults.add(Fault(kind=FaultKind.DUPLICATE, times=None))
    assert hits(faults, "1", 1, family="callback") == [True]
    faults.clear()
    assert hits(faults, "1", 1, family="callback") == [False]
    assert faults.all() == []


@pytest.mark.parametrize("fields", [{"kind": "error"}, {"kind": "x"}, {"kind": "slow", "second": 1}, {"times": 0}])
def test_fault_that_means_nothing_is_refused(fields: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Fault.model_validate(fields)
