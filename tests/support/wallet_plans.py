"""What processes mean to do with a wallet, and what goes wrong meanwhile, as strategies of Hypothesis."""

from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from hypothesis import strategies as st

from callmissed.clock import SECOND
from callmissed.ledger.holds import Hold
from tests.support.faults import FAULTS, Fault

SKEW = st.integers(-5, 5).map(lambda seconds: seconds * SECOND)
_LATE, _LOST = Fault.DELAY, Fault.LOSE_ANSWER
LOSSES = st.sampled_from(
    [
        (),
        (_LATE,),
        (_LOST,),
        (_LATE, _LATE),
        (Fault.LOSE_REQUEST,),
        (None, _LATE),  # the month's turn, where that comes second
        (None, _LOST),
        (None, None, _LATE),  # the levelling of shards, once they exist
        (None, None, _LOST),
    ]
)
Faults = Sequence[Fault | None]
Replay = tuple[Callable[[], Coroutine[Any, Any, Any]], bool]


class Meeting(StrEnum):
    """What has to come together in some example."""

    AMID_SWEEP = "an entry came amid a sweep"
    SUSPENDED = "a hold met a suspended tenant"
    LATE_SHARD = "a shard came late"
    OWED = "a free call met a debt"
    LEFT = "a tenant left enterprise with several wallets"


@dataclass(frozen=True)
class Plan:
    """What a process means to do for one call, and what will go wrong."""

    amount: int
    minutes: int
    skew: int
    placing: Faults
    seconds: int
    then: str
    share: int
    resolving: Faults
    arriving: int


@dataclass
class Call:
    """A call of the tenant as the process that serves it knows it."""

    id: str
    hold: Hold | None
    settling: bool = False
    released: bool = False


PLANS = st.builds(
    Plan,
    amount=st.integers(0, 400),
    minutes=st.integers(1, 3),
    skew=SKEW,
    placing=LOSSES | FAULTS,
    seconds=st.sampled_from([0, 1, 5, 240]),
    then=st.sampled_from(["settle", "settle", "release", "nothing"]),
    share=st.integers(0, 100),
    resolving=FAULTS | LOSSES,
    arriving=st.integers(0, 2),
)


CALM = Plan(amount=0, minutes=1, skew=0, placing=(), seconds=0, then="nothing", share=0, resolving=(), arriving=0)
"""A call that nothing happens to."""

CREATING = st.sampled_from([(None, None, _LATE), (None, None, None, _LATE), (None, None, _LATE, None, _LATE)])
"""What goes wrong when the first hold finds no shard: the hold, a read, the missing shards, a read, the levelling."""

EXPIRED = st.tuples(st.integers(2, 100), st.integers(50, 100), st.booleans())
"""A call's hold, the percents of it that the call cost, and whether its process died with the entry on its way."""
