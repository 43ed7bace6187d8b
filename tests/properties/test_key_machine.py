"""The life of a key as a state machine: calls, lost answers, late refunds, rotations, month turns, revocation.

No call is admitted after a revoke returned, none after the expiry, a call is refunded once at most, and what is spent
and what may still be spent never exceed the key's monthly budget. How to repeat a run: conftest.py.
"""

import asyncio
from collections import Counter
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypeVar

from hypothesis import event, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from callmissed.aws.attributes import Item, from_item, to_item
from callmissed.aws.database import Database
from callmissed.aws.dynamodb import DynamoDB, DynamoError
from callmissed.clock import MINUTE, SECOND, Micros, month_of, seconds_to_next_month
from callmissed.errors import ApiError
from callmissed.keys.admission import Admission, Admitted
from callmissed.keys.management import KeyManager, NewKey
from callmissed.keys.policy import NEVER, KeyPolicy
from callmissed.keys.records import ACTIVE, key_item_of
from callmissed.keys.secret import Mode, key_hash
from callmissed.money import MicroCredits
from callmissed.plans.plans import Plan
from callmissed.platform.tables import KEYS, TENANTS, physical_name
from callmissed.tenants.tenants import create_tenant
from local.aws.tables import StageTables
from tests.support.faults import FAULTS, Crash, Fault, FaultyDynamoDB

START = Micros(int(datetime(2026, 11, 30, 23, 59, 50, tzinfo=UTC).timestamp()) * SECOND)
SKEW = 5 * SECOND
SKEWS = st.integers(-5, 5).map(lambda seconds: seconds * SECOND)
PEPPER = b"a pepper of some length"
T = TypeVar("T")
Faults = Sequence[Fault | None]
_LATE, _LOST = Fault.DELAY, Fault.LOSE_ANSWER
LOSSES = FAULTS | st.sampled_from([(), (_LATE,), (_LOST,), (None, _LATE), (None, _LOST), (None, None, _LATE)])


@dataclass(frozen=True)
class Attempt:
    """One call that somebody makes with one of the key's secrets, and what goes wrong."""

    seconds: int
    secret: int
    container: int
    skew: int
    estimate: int
    admitting: Faults


ATTEMPTS = st.builds(
    Attempt,
    seconds=st.sampled_from([0, 0, 1, 30, 300]),
    secret=st.integers(0, 5),
    container=st.integers(0, 1),
    skew=SKEWS,
    estimate=st.integers(0, 150),
    admitting=LOSSES,
)


@dataclass(frozen=True)
class Call:
    """A call that was admitted, whose cost is not known yet."""

    admitted: Admitted
    container: int


_FATES = [None, *Fault]
FATES = st.sampled_from(_FATES)
"""What happens to the first request of a refund."""

_SURELY_SENT_AGAIN = {None, Fault.THROTTLE, Fault.CONFLICT}

SHARES = st.integers(0, 100)
"""Percents of its charge that a call cost."""


class KeyMachine(RuleBasedStateMachine):
    """One key, its secrets, and two containers that admit its calls. `met` counts the faults that refunds met."""

    calls = Bundle("calls")

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        store: StageTables,
        dynamodb: FaultyDynamoDB,
        met: Counter[Fault | None],
    ) -> None:
        super().__init__()
        self.met = met
        self.loop, self.stage, self.dynamodb = loop, store.stage, dynamodb
        self.plain = DynamoDB("us-east-1", store.endpoint, timeout_seconds=30.0)
        self.containers = [Admission(Database(dynamodb, store.stage)) for _ in range(2)]
        self.manager = KeyManager(Database(dynamodb, store.stage), PEPPER)
        self.clock = START
        self.budget: int | None = None
        self.hashes: list[str] = []
        self.dead: set[str] = set()
        self.spent: Counter[int] = Counter()
        self.outstanding: Counter[int] = Counter()
        self.lost: Counter[int] = Counter()
        self.faultless = True

    @initialize(
        target=calls,
        budget=st.sampled_from([3000, 500, None, 3000, 0]),
        rpm=st.sampled_from([60, 600, 60_000]),
        lifetime=st.sampled_from([None, 1, 6, 24 * 60]),
        attempts=st.lists(ATTEMPTS, max_size=4),
        estimate=st.integers(1, 150),
        share=SHARES,
        fates=st.permutations(_FATES).map(lambda fates: fates[:3]),
    )
    def create(
        self,
        budget: int | None,
        rpm: int,
        lifetime: int | None,
        attempts: list[Attempt],
        estimate: int,
        share: int,
        fates: list[Fault | None],
    ) -> Any:
        """A key, a call for each of the fates of its refund, and calls that are not refunded yet."""
        self.budget = budget
        made = create_tenant(Database(self.plain, self.stage), name="tests", plan=Plan.PRO, now=START)
        self.tenant = self._now(made).tenant_id
        self.expiry = START + lifetime * MINUTE if lifetime else NEVER
        policy = KeyPolicy(
            rpm=rpm, budget=None if budget is None else MicroCredits(budget), expires=Micros(self.expiry)
        )
        new = self.manager.create(self.tenant, name="tests", mode=Mode.LIVE, policy=policy, now=START)
        key = self._now(new)
        self.key_id = key.record.key_id
        self._learn(key)
        for fate in fates:
            for call in self._call(Attempt(0, 0, 0, 0, estimate, ())):
                self._refund(call, share, fate)
        return multiple(*(call for attempt in attempts for call in self._call(attempt)))

    @rule(target=calls, attempt=ATTEMPTS)
    def call(self, attempt: Attempt) -> Any:
        """Somebody calls with one of the secrets."""
        return multiple(*self._call(attempt))

    @rule(call=consumes(calls), share=SHARES, fate=FATES)
    def refund(self, call: Call, share: int, fate: Fault | None) -> None:
        """A call has ended, and the key gets back what it did not cost."""
        self._refund(call, share, fate)

    @rule(minutes=st.sampled_from([0, 1, 5, 24 * 60]), skew=SKEWS, faults=LOSSES)
    def rotate(self, minutes: int, skew: int, faults: Faults) -> None:
        """The owner asks for a new secret."""
        now = self.clock + skew
        rotated = self._try(
            self.manager.rotate(self.tenant, self.key_id, overlap_minutes=minutes, now=Micros(now)), faults
        )
        event(f"rotated under {'some' if any(faults) else 'no'} faults: {_named(rotated)}")
        if isinstance(rotated, NewKey):
            if not minutes:
                self.dead |= set(self.hashes)
            self._learn(rotated)

    @rule(sure=st.sampled_from([False, False, True]), faults=LOSSES)
    def revoke(self, sure: bool, faults: Faults) -> None:
        """The owner ends the key; sometimes."""
        if not sure:
            return
        revoked = self._try(self.manager.revoke(self.tenant, self.key_id), faults)
        if not isinstance(revoked, BaseException):
            self.dead |= {*self.hashes, "all"}

    @rule(which=st.integers(0, 20))
    def arrive_late(self, which: int) -> None:
        """A request whose answer was lost arrives after all."""
        if self.dynamodb.late:
            self.faultless = False  # a refund that counted as lost may arrive
            self._now(self.dynamodb.deliver_late(which))

    @rule(seconds=st.sampled_from([1, 20, 300, None]), offset=st.integers(-5, 5))
    def wait(self, seconds: int | None, offset: int) -> None:
        """Time passes; or the month is about to turn, or just has."""
        self.clock += (seconds or seconds_to_next_month(Micros(self.clock)) + offset) * SECOND

    @invariant()
    def nothing_is_overspent(self) -> None:
        """Spent, charged and not yet settled, and still to be had: together never above the month's budget."""
        if self.budget is None or not self.hashes:
            return
        items = self._items()
        current = max([month_of(Micros(self.clock - SKEW)), *(item["km"] for item in items)])
        for month in self.spent | self.outstanding:
            assert self.spent[month] + self.outstanding[month] <= self.budget
        gone = self.spent[current] + self.outstanding[current]
        left = sum(_left(item, current) for item in items if self._lives(item, current))
        assert all(item["kb"] >= 0 for item in items)
        assert gone + left <= self.budget
        alone = len(items) == 1 and self._lives(items[0], current)
        whole = gone + left + self.lost[current] == self.budget
        assert whole or not (alone and self.faultless), "nothing is lost without a fault"

    def teardown(self) -> None:
        """Whatever is under way arrives; the sums hold then, too."""
        try:
            while self.dynamodb.late:
                self.arrive_late(0)
                self.nothing_is_overspent()
        finally:
            self.dynamodb.forget()
            self._now(self.plain.close())

    def _call(self, attempt: Attempt) -> list[Call]:
        """The call, if it is admitted."""
        self.clock += attempt.seconds * SECOND
        hash = self.hashes[attempt.secret % len(self.hashes)]
        now = self.clock + attempt.skew
        reasons = self._reasons(hash, attempt.estimate, now)
        work = self.containers[attempt.container].admit(hash, MicroCredits(attempt.estimate), Micros(now))
        outcome = self._try(work, attempt.admitting)
        event(f"called under {'some' if any(attempt.admitting) else 'no'} faults: {_named(outcome)}")
        if not any(attempt.admitting):
            assert _named(outcome) in _codes(reasons)
        if not isinstance(outcome, Admitted):
            return []
        assert not {"revoked", "expired"} & reasons
        self.outstanding[outcome.key.month] += outcome.charged
        return [Call(outcome, attempt.container)]

    def _refund(self, call: Call, share: int, fate: Fault | None) -> None:
        """Give back what the call did not cost: in the table or still under way, it is there once at most."""
        admitted, month = call.admitted, call.admitted.key.month
        cost = admitted.charged * share // 100
        amount = admitted.charged - cost
        self.outstanding[month] -= admitted.charged
        self.spent[month] += cost
        before, under_way = self._item(admitted.key.key_hash), len(self.dynamodb.late)
        self._attempt(self.containers[call.container].give_back(admitted, MicroCredits(amount)), (fate,))
        came = self._item(admitted.key.key_hash)["kb"] - before["kb"] if before else 0
        coming = amount * (len(self.dynamodb.late) - under_way)
        self.lost[month] += amount - came
        if not before or not admitted.key.has_budget or not amount:
            return
        event(f"a refund met {fate.name if fate else 'no fault'}")
        self.met[fate] += before["km"] == month
        assert came + coming <= amount, "a call is refunded once"
        assert fate not in _SURELY_SENT_AGAIN or came == (amount if before["km"] == month else 0)

    def _reasons(self, hash: str, estimate: int, now: int) -> set[str]:
        """Everything that speaks against a call, by the item as it is."""
        item = self._item(hash)
        if hash in self.dead or not item or item["st"] != ACTIVE:
            return {"revoked"}
        reasons = {"expired"} if item["ex"] <= now else set[str]()
        if _left(item, max(month_of(Micros(now)), item["km"])) < estimate:
            reasons.add("over budget")
        if item["tat"] >= now and item["u"] > now:
            reasons.add("limited")
        return reasons

    def _lives(self, item: Item, month: int) -> bool:
        """Whether a call, by a clock that is slow, may still be admitted in `month`."""
        slow = self.clock - SKEW
        return item["st"] == ACTIVE and item["ex"] > slow and _last_month(item) >= month

    def _learn(self, key: NewKey) -> None:
        self.hashes.append(key_hash(PEPPER, key.secret))

    def _item(self, hash: str) -> Item:
        request = {"TableName": physical_name(self.stage, KEYS), "Key": to_item({"id": hash}), "ConsistentRead": True}
        return from_item(self._now(self.plain.call("GetItem", request)).get("Item", {}))

    def _items(self) -> list[Item]:
        """Every hot item of the key, also of secrets whose answer was lost."""
        key = to_item({"tenant": self.tenant, "item": f"KEY#{self.key_id}"})
        request = {"TableName": physical_name(self.stage, TENANTS), "Key": key, "ConsistentRead": True}
        record = from_item(self._now(self.plain.call("GetItem", request))["Item"])
        table = physical_name(self.stage, KEYS)
        keys = [to_item({"id": hash}) for hash in {*record["hashes"], *self.hashes}]
        wanted = {"RequestItems": {table: {"Keys": keys, "ConsistentRead": True}}}
        found = self._now(self.plain.call("BatchGetItem", wanted))
        assert not found["UnprocessedKeys"]
        return [from_item(item) for item in found["Responses"][table]]

    def _now(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(work)

    def _try(self, work: Coroutine[Any, Any, T], faults: Faults) -> T | BaseException:
        self.faultless = self.faultless and not any(faults)
        return self._attempt(work, faults)

    def _attempt(self, work: Coroutine[Any, Any, T], faults: Faults) -> T | BaseException:
        self.dynamodb.faults.extend(faults)
        try:
            return self._now(work)
        except (Crash, DynamoError, ApiError) as failure:
            return failure
        finally:
            self.dynamodb.faults.clear()


def _left(item: Item, month: int) -> int:
    return item["kb"] if item["km"] >= month else key_item_of(item).month_budget(month)


def _last_month(item: Item) -> int:
    return month_of(min(item["ex"], START * 2) - 1)


def _codes(reasons: set[str]) -> set[str]:
    codes = {
        "revoked": {"invalid_api_key", "rate_limit_exceeded"},  # a container may remember the secret as limited
        "expired": {"invalid_api_key", "rate_limit_exceeded"},
        "over budget": {"budget_exceeded"},
        "limited": {"rate_limit_exceeded"},
    }
    return set[str]().union(*(codes[reason] for reason in reasons)) if reasons else {"Admitted"}


def _named(outcome: Any) -> str:
    return outcome.code if isinstance(outcome, ApiError) else type(outcome).__name__


def test_a_key_admits_what_it_may_and_no_more_whatever_goes_wrong(
    loop: asyncio.AbstractEventLoop, module_tables: StageTables, dynamodb: FaultyDynamoDB
) -> None:
    met: Counter[Fault | None] = Counter()
    machine: Any = partial(KeyMachine, loop, module_tables, dynamodb, met)
    run_state_machine_as_test(machine, settings=settings.default)

    @settings(max_examples=1)
    @given(fates=st.just([fate for fate in _FATES if not met[fate]]))
    def meet_what_was_not_drawn(fates: list[Fault | None]) -> None:
        one = machine()
        one.create(3000, 60_000, None, [], 150, 50, fates)
        one.teardown()

    meet_what_was_not_drawn()
    assert all(met[fate] for fate in _FATES), met
