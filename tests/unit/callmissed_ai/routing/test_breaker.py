"""Circuit breakers of routes, against a model of what a careful caller would remember."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from callmissed.clock import SECOND, Micros
from callmissed_ai.routing.breaker import (
    FAILURES_TO_OPEN,
    MAX_PAUSE_SECONDS,
    MAX_WAIT_SECONDS,
    PAUSE_SECONDS,
    PROBE_SECONDS,
    Breaker,
    Stance,
)
from callmissed_ai.routing.retry_after import wait_seconds

KEY = ("lab", "model")
OTHER = ("lab", "other")
NOON = 1_795_780_800 * SECOND


class FakeClock:
    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> Micros:
        return Micros(self.now)

    def passes(self, seconds: float) -> None:
        self.now += int(seconds * SECOND)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def breaker(clock: FakeClock) -> Breaker:
    return Breaker(clock)


def trip(breaker: Breaker, times: int = FAILURES_TO_OPEN) -> list[bool]:
    return [breaker.fail(KEY) for _ in range(times)]


def test_opens_at_the_last_of_the_failures_in_a_row(breaker: Breaker) -> None:
    assert trip(breaker, FAILURES_TO_OPEN - 1) == [False] * (FAILURES_TO_OPEN - 1)
    assert breaker.stance(KEY) is Stance.READY
    assert breaker.fail(KEY)
    assert (breaker.stance(KEY), breaker.stance(OTHER)) == (Stance.OPEN, Stance.READY)


def test_success_between_failures_starts_the_count_again(breaker: Breaker) -> None:
    trip(breaker, FAILURES_TO_OPEN - 1)
    assert not breaker.succeed(KEY)
    assert not any(trip(breaker, FAILURES_TO_OPEN - 1))


def test_one_probe_at_a_time_when_the_pause_is_over(breaker: Breaker, clock: FakeClock) -> None:
    trip(breaker)
    clock.passes(PAUSE_SECONDS)

    assert breaker.stance(KEY) is Stance.READY
    assert [breaker.begin(KEY) for _ in range(3)] == [True, False, False]
    assert breaker.stance(KEY) is Stance.OPEN


def test_probe_that_succeeds_closes(breaker: Breaker, clock: FakeClock) -> None:
    trip(breaker)
    clock.passes(PAUSE_SECONDS)
    breaker.begin(KEY)

    assert breaker.succeed(KEY)
    assert breaker.stance(KEY) is Stance.READY
    assert not breaker.begin(KEY)
    assert not any(trip(breaker, FAILURES_TO_OPEN - 1))


def test_each_probe_that_fails_doubles_the_pause_up_to_its_maximum(breaker: Breaker, clock: FakeClock) -> None:
    trip(breaker)
    pauses: list[int] = []
    for _ in range(8):
        seconds = 0
        while breaker.stance(KEY) is Stance.OPEN:
            clock.passes(1)
            seconds += 1
        pauses.append(seconds)
        assert breaker.begin(KEY)
        assert breaker.fail(KEY)
    assert pauses == [min(MAX_PAUSE_SECONDS, PAUSE_SECONDS * 2**number) for number in range(8)]


@pytest.mark.parametrize("ends", [lambda breaker: breaker.abandon(KEY), None])
def test_probe_without_a_verdict_lets_another_probe(
    breaker: Breaker, clock: FakeClock, ends: Callable[[Breaker], Any] | None
) -> None:
    trip(breaker)
    clock.passes(PAUSE_SECONDS)
    breaker.begin(KEY)
    if ends:
        ends(breaker)
    else:
        clock.passes(PROBE_SECONDS)

    assert breaker.stance(KEY) is Stance.READY
    assert breaker.begin(KEY)


def test_failures_of_calls_that_began_before_do_not_prolong_the_pause(breaker: Breaker, clock: FakeClock) -> None:
    trip(breaker)
    clock.passes(PAUSE_SECONDS - 1)
    assert not any(trip(breaker, 20))
    clock.passes(1)
    assert breaker.stance(KEY) is Stance.READY


def test_provider_is_left_alone_as_long_as_it_wishes_also_after_a_success(breaker: Breaker, clock: FakeClock) -> None:
    assert breaker.fail(KEY, 30)
    assert not breaker.fail(KEY, 10)
    breaker.succeed(KEY)

    assert (breaker.stance(KEY), breaker.waits(KEY)) == (Stance.WAITING, 30)
    clock.passes(30)
    assert (breaker.stance(KEY), breaker.waits(KEY)) == (Stance.READY, 0)


def test_wish_has_a_limit(breaker: Breaker) -> None:
    breaker.fail(KEY, 10.0**12)

    assert breaker.waits(KEY) == MAX_WAIT_SECONDS


class BreakerMachine(RuleBasedStateMachine):
    """Any order of failures, successes, probes, time and news of others."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = FakeClock()
        self.breaker = Breaker(self.clock)
        self.failures = 0
        self.asked_to_wait_until = 0
        self.probing = False

    @rule(seconds=st.integers(0, 400))
    def time_passes(self, seconds: int) -> None:
        self.clock.passes(seconds)
        self.probing = self.probing and seconds < PROBE_SECONDS

    @rule(wait=st.sampled_from([0, 0, 1, 100, 10**9]))
    def fails(self, wait: int) -> None:
        self.breaker.fail(KEY, wait)
        self.failures += 1
        self.probing = False
        until = self.clock.now + min(wait, MAX_WAIT_SECONDS) * SECOND
        self.asked_to_wait_until = max(self.asked_to_wait_until, until)

    @rule()
    def succeeds(self) -> None:
        self.breaker.succeed(KEY)
        self.failures = 0
        self.probing = False

    @rule()
    def begins(self) -> None:
        was = self.breaker.stance(KEY)
        probe = self.breaker.begin(KEY)
        assert not (probe and (self.probing or was is not Stance.READY or self.failures < FAILURES_TO_OPEN))
        self.probing = self.probing or probe

    @precondition(lambda self: self.probing)
    @rule()
    def abandons(self) -> None:
        self.breaker.abandon(KEY)
        self.probing = False

    @invariant()
    def wish_is_kept(self) -> None:
        waiting = self.clock.now < self.asked_to_wait_until
        assert (self.breaker.stance(KEY) is Stance.WAITING) == waiting

    @invariant()
    def opens_only_after_failures_in_a_row(self) -> None:
        if self.failures < FAILURES_TO_OPEN:
            assert self.breaker.stance(KEY) is not Stance.OPEN

    @invariant()
    def is_ready_again_some_time(self) -> None:
        now = self.clock.now
        self.clock.passes(MAX_WAIT_SECONDS)
        assert self.breaker.stance(KEY) is Stance.READY
        self.clock.now = now


TestBreakerMachine = BreakerMachine.TestCase


def test_news_of_others_is_taken_over_where_it_is_newer(breaker: Breaker, clock: FakeClock) -> None:
    breaker.learn(KEY, Micros(clock.now + 20 * SECOND), Micros(0), Micros(clock.now))
    assert breaker.stance(KEY) is Stance.OPEN
    breaker.learn(KEY, Micros(0), Micros(0), Micros(clock.now - 1))
    assert breaker.stance(KEY) is Stance.OPEN

    breaker.learn(KEY, Micros(0), Micros(0), Micros(clock.now + 1))
    assert breaker.stance(KEY) is Stance.READY
    assert not any(trip(breaker, FAILURES_TO_OPEN - 1))


def test_news_of_others_is_bounded_and_ends(breaker: Breaker, clock: FakeClock) -> None:
    breaker.learn(KEY, Micros(2**60), Micros(2**60), Micros(2**60))
    assert breaker.waits(KEY) == MAX_WAIT_SECONDS
    clock.passes(MAX_WAIT_SECONDS)

    assert breaker.begin(KEY)
    assert breaker.succeed(KEY)
    assert breaker.stance(KEY) is Stance.READY


def test_old_news_of_an_open_circuit_changes_nothing(breaker: Breaker, clock: FakeClock) -> None:
    breaker.learn(KEY, Micros(clock.now - 1), Micros(clock.now - 1), Micros(clock.now - 100))

    assert breaker.stance(KEY) is Stance.READY
    assert not breaker.begin(KEY)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, 0),
        ({"retry-after": "7"}, 7),
        ({"retry-after": " 1.5 "}, 1.5),
        ({"retry-after": "-3"}, 0),
        ({"retry-after": "nan"}, 0),
        ({"retry-after": "inf"}, 0),
        ({"retry-after": "1e400"}, 0),
        ({"retry-after": "soon"}, 0),
        ({"retry-after": ""}, 0),
        ({"retry-after": "Fri, 27 Nov 2026 12:00:42 GMT"}, 42),
        ({"retry-after": "Fri, 27 Nov 2026 11:59:00 GMT"}, 0),
        ({"retry-after": "Fri, 27 Nov 2026 12:00:42 +0000"}, 42),
        ({"retry-after": "Friday, 27-Nov-26 12:00:42 GMT"}, 42),
        ({"retry-after": "Fri, 99 Nov 2026 12:00:42 GMT"}, 0),
        ({"retry-after": "Fri, 27 Nov 99999 12:00:42 GMT"}, 0),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
        ({"retry-after-ms": "x", "retry-after": "9"}, 9),
    ],
    ids=str,
)
def test_wait_that_an_answer_asks_for(headers: dict[str, str], seconds: float) -> None:
    assert wait_seconds(429, headers, Micros(NOON)) == pytest.approx(seconds)  # pyright: ignore[reportUnknownMemberType]  pytest's own gap


@pytest.mark.parametrize(("status", "seconds"), [(429, 9), (503, 9), (529, 9), (500, 0), (401, 0), (400, 0)])
def test_wait_is_that_of_answers_about_load(status: int, seconds: float) -> None:
    assert wait_seconds(status, {"retry-after": "9"}, Micros(NOON)) == seconds
