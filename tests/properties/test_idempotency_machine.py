"""Keyed requests as a state machine: crashes, lost answers, late duplicates, two at once, clocks that are off.

Two requests may carry each of two keys, one key for a chat call and one for a route below `/api/v1`. Whatever goes
wrong, checked after every step and every write: an operation has its effect under one id, a key is charged once at
most and only for an answer that is stored, everybody who gets an answer gets the same bytes, two runs meet only when
the first should have been dead, and a key that was released runs again. How to repeat a run: conftest.py.
"""

import asyncio
import json
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

from hypothesis import event, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from callmissed.aws.attributes import Item, from_item, to_item
from callmissed.aws.dynamodb import DynamoDB
from callmissed.clock import MINUTE, SECOND
from callmissed.idempotency.requests import keyed_request
from callmissed.idempotency.store import RETENTION_SECONDS, SKEW_SECONDS
from callmissed.ledger.entries import EntryType
from callmissed.ledger.grants import grant
from callmissed.ledger.sweep import sweep
from callmissed.money import CREDIT
from callmissed.platform.tables import IDEMPOTENCY, WALLETS, physical_name
from callmissed.tenancy.plans import Plan
from callmissed.tenancy.tenants import create_tenant
from functions.inference.frame import HOLD_MINUTES
from functions.inference.once import LOCK_SECONDS as CHAT_LOCK_SECONDS
from local.engines import Store
from tests.integration.idempotency.shelf import Shelf
from tests.integration.inference.desk import Account, Bank
from tests.properties.faults import FAULTS, Crash, Fault
from tests.properties.lanes import CHAT, PEPPER, SIZES, THINGS, End, Heard, Lane, Works

START = int(datetime(2026, 11, 10, 12, tzinfo=UTC).timestamp()) * SECOND
PATHS = st.sampled_from([CHAT, THINGS])
LIFETIMES = {CHAT: 900, THINGS: 30}
KEYS = {CHAT: "chat-key", THINGS: "things-key"}
LANES = 3
Faults = Sequence[Fault | None]
BODIES = [
    json.dumps({"model": "gpt-4o", "messages": [{"role": "user", "content": text}], "max_tokens": 50}).encode()
    for text in ("one", "other")
]
ENDS = st.sampled_from([End.SUCCEEDS, End.SUCCEEDS, *End])
_LATE, _LOST = Fault.DELAY, Fault.LOSE_ANSWER
BEGINNING = st.just(()) | st.sampled_from([(_LATE,), (_LOST,), (None, _LATE), (None, _LOST)]) | FAULTS
ENDING = st.just(()) | st.sampled_from([(_LATE,), (_LOST,), (_LATE, Fault.DIE_BEFORE), (Fault.DIE_AFTER,)]) | FAULTS
SECONDS = st.sampled_from([1, 5, 20, 30, 34, 40, 45, 50, 600, 890, 905, 920, 930])


@dataclass
class Told:
    """What is known of one key in its 24 hours."""

    answer: bytes | None = None
    body: bytes | None = None
    released: bool = False
    latest: Lane | None = None


class IdempotencyMachine(RuleBasedStateMachine):
    """Three processes serve requests with the same keys."""

    def __init__(self, loop: asyncio.AbstractEventLoop, store: Store) -> None:
        super().__init__()
        self.loop = loop
        self.store = store
        self.clock = START
        self.late: list[tuple[str, bytes]] = []
        self.plain = DynamoDB("us-east-1", store.endpoint, timeout_seconds=30.0)
        self.bank = Bank(self.plain, store.stage, PEPPER)
        self.shelf, self.works = Shelf(), Works()
        self.told = {CHAT: Told(), THINGS: Told()}
        self.charges = 0
        self.account: Account | None = None
        self.dead: list[Lane] = []

    @initialize(skews=st.lists(st.integers(-5, 5), min_size=LANES, max_size=LANES))
    def open(self, skews: list[int]) -> None:
        """A tenant with credits, and processes whose clocks are off."""
        self.account = self._now(self._account())
        self.skews = skews
        self.lanes = [self._lane(number) for number in range(LANES)]

    @rule(path=PATHS, body=st.sampled_from(BODIES), lane=st.integers(0, LANES - 1), faults=BEGINNING)
    def start(self, path: str, body: bytes, lane: int, faults: Faults) -> None:
        """A process begins to serve a request, unless it is busy."""
        if not self.lanes[lane].works_on:
            self._start(path, body, lane, faults)

    @rule(lane=st.integers(0, LANES - 1), end=ENDS, faults=ENDING)
    def finish(self, lane: int, end: End, faults: Faults) -> None:
        """The work of a request ends, well or badly."""
        if self.lanes[lane].works_on:
            self._finish(lane, end, faults)

    @rule(
        path=PATHS,
        body=st.sampled_from(BODIES),
        lane=st.integers(0, LANES - 1),
        beginning=BEGINNING,
        end=ENDS,
        ending=ENDING,
    )
    def serve(self, path: str, body: bytes, lane: int, beginning: Faults, end: End, ending: Faults) -> None:
        """A request from its beginning to its end; sent again, it is a caller's who lost the answer."""
        if not self.lanes[lane].works_on:
            self._start(path, body, lane, beginning)
            if self.lanes[lane].works_on:
                self._finish(lane, end, ending)

    @rule(path=PATHS, bodies=st.lists(st.sampled_from(BODIES), min_size=2, max_size=3), faults=BEGINNING)
    def start_at_once(self, path: str, bodies: list[bytes], faults: Faults) -> None:
        """Idle processes get requests with one key at the same moment."""
        idle = [number for number in range(LANES) if not self.lanes[number].works_on]
        if idle:
            self.lanes[idle[0]].dynamodb.faults.extend(faults)
        pairs = list(zip(idle, bodies, strict=False))
        outcomes = self._now(_all([self._request(path, body, lane) for lane, body in pairs]))
        for (lane, body), outcome in zip(pairs, outcomes, strict=True):
            self._judge(path, body, lane, outcome, clean=False)
        if sum(self.lanes[lane].works_on == path for lane, _ in pairs) > 1:
            raise AssertionError("two began at once")

    @rule(which=st.integers(0, 20))
    def arrive_late(self, which: int) -> None:
        """A request whose answer was lost arrives after all."""
        if self.late:
            self._now(self.lanes[0].dynamodb.deliver_late(which))
            for told in self.told.values():
                told.released = False

    @rule(seconds=SECONDS)
    def wait(self, seconds: int) -> None:
        """Time passes; locks end."""
        self.clock += seconds * SECOND

    @rule()
    def next_day(self) -> None:
        """The 24 hours of every key are over, though no record has been deleted."""
        if any(lane.works_on for lane in self.lanes):
            return
        self._let_all_arrive()
        self._check()
        self.clock += (RETENTION_SECONDS + 3 * SKEW_SECONDS + CHAT_LOCK_SECONDS) * SECOND
        self._now(sweep(self.plain, self.store.stage, self.clock))
        self.works.effects.clear()
        self.charges = len(self._charged())
        self.told = {CHAT: Told(), THINGS: Told()}

    @invariant()
    def promises_hold(self) -> None:
        """One operation, one charge, and that only for a stored answer."""
        if self.account:
            self._check()

    def teardown(self) -> None:
        """Everything arrives, every lock ends: then each key has an answer, or gives one."""
        if not self.account:
            return
        try:
            self._quieten()
        finally:
            self._now(self._end())

    def _quieten(self) -> None:
        for lane in range(LANES):
            if self.lanes[lane].works_on:
                self._finish(lane, End.DIES, ())
        self._let_all_arrive()
        self.clock += (CHAT_LOCK_SECONDS + SKEW_SECONDS) * SECOND
        for path in (CHAT, THINGS):
            answers = [self._answer_of(path, body) for body in BODIES]
            assert any(answer.status < 300 for answer in answers), answers
        self._check()
        self._now(sweep(self.plain, self.store.stage, self.clock + (HOLD_MINUTES + 1) * MINUTE))
        self._now(self.bank.assert_balanced(self._known))

    def _answer_of(self, path: str, body: bytes) -> Heard:
        heard = self._start(path, body, 0, ())
        if heard is None:
            heard = self._finish(0, End.SUCCEEDS, ())
        assert isinstance(heard, Heard)
        return heard

    def _start(self, path: str, body: bytes, lane: int, faults: Faults) -> Heard | Crash | None:
        must_run = self.told[path].released and not any(faults)
        self.lanes[lane].dynamodb.faults.extend(faults)
        outcome = self._now(self._request(path, body, lane))
        assert not must_run or outcome is None or _code(outcome) == "rate_limit_exceeded", outcome
        self._judge(path, body, lane, outcome, clean=False)
        return outcome

    def _request(self, path: str, body: bytes, lane: int) -> Coroutine[Any, Any, Heard | Crash | None]:
        self.told[path].latest = self.lanes[lane]
        known = self._known
        headers = {"idempotency-key": KEYS[path], "tenant": known.tenant, "x-api-key": known.secret}
        return self.lanes[lane].start(path, headers, body, self.clock)

    def _finish(self, lane: int, end: End, faults: Faults) -> Heard | Crash:
        asked = self.lanes[lane].asked
        assert asked
        self.lanes[lane].dynamodb.faults.extend(faults)
        outcome = self._now(self.lanes[lane].finish(end))
        clean = not any(faults) and end not in SIZES
        event(f"{end.name} under {'some' if any(faults) else 'no'} faults: {_code(outcome) or 'success'}")
        self._judge(asked[0], asked[1], lane, outcome, clean=clean)
        return outcome

    def _judge(self, path: str, body: bytes, lane: int, outcome: Heard | Crash | None, *, clean: bool) -> None:
        """Hold what the caller got against what others got. `clean` work failed and nothing else did."""
        self.lanes[lane].dynamodb.faults.clear()
        told = self.told[path]
        others = [other for other in self.lanes if other is not self.lanes[lane] and other.works_on == path]
        alone = told.latest is self.lanes[lane] and not others and not self.late
        told.released = clean and alone and isinstance(outcome, Heard)
        if outcome is None:
            self._check_overlap(path, others)
        elif isinstance(outcome, Crash):
            self._bury(lane)
        elif outcome.status < 300:
            event("replayed" if outcome.replayed else "answered")
            assert told.answer in (None, outcome.body)
            assert told.body in (None, body)
            told.answer, told.body = outcome.body, body

    def _check_overlap(self, path: str, others: list[Lane]) -> None:
        """Who still works on the key was begun so long ago that its function has ended it."""
        for other in others:
            assert other.asked
            event("a dead run's lock was taken over")
            assert self.clock - other.asked[2] >= LIFETIMES[path] * SECOND

    def _bury(self, lane: int) -> None:
        event("a process died")
        self.dead.append(self.lanes[lane])
        self.lanes[lane] = self._lane(lane)

    def _check(self) -> None:
        assert all(len(operations) == 1 for operations in self.works.effects.values())
        charged = self._charged()
        assert len(charged) - self.charges <= 1
        if len(charged) > self.charges:
            record = self._now(self._record())
            assert (record["st"], record["cid"]) == ("d", charged[-1]["entry"])

    def _charged(self) -> list[Item]:
        entries: list[Item] = self._now(self.bank.entries(self._known.tenant))
        return [entry for entry in entries if entry["type"] == EntryType.DEDUCTION]

    @property
    def _known(self) -> Account:
        assert self.account
        return self.account

    async def _account(self) -> Account:
        """A tenant with credits and a key, as of the machine's time."""
        work: Any = {"stage": self.store.stage, "now": START}
        tenant = (await create_tenant(self.plain, name="tests", plan=Plan.PRO, **work))["tenant"]
        await grant(self.plain, tenant=tenant, amount=1000 * CREDIT, operation_id="start", **work)
        key = await self.bank.key(tenant, now=START, budget=1000 * CREDIT)
        return Account(tenant, key.secret, key.record["id"], await self.bank.wallet(tenant))

    async def _record(self) -> Item:
        record = keyed_request(self._known.tenant, "live", KEYS[CHAT], "").record
        table = physical_name(self.store.stage, IDEMPOTENCY)
        request = {"TableName": table, "Key": to_item({"id": record}), "ConsistentRead": True}
        return from_item((await self.plain.call("GetItem", request))["Item"])

    def _let_all_arrive(self) -> None:
        while self.late:
            self._now(self.lanes[0].dynamodb.deliver_late(0))

    def _lane(self, number: int) -> Lane:
        return Lane(self.store, self.shelf, self.works, self.late, lambda: self.clock + self.skews[number] * SECOND)

    def _now(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.loop.run_until_complete(work)

    async def _end(self) -> None:
        key = to_item({"id": self._known.tenant})
        await self.plain.call("DeleteItem", {"TableName": physical_name(self.store.stage, WALLETS), "Key": key})
        for lane in (*self.lanes, *self.dead):
            await lane.dynamodb.close()
        await self.plain.close()


async def _all(works: Sequence[Coroutine[Any, Any, Any]]) -> list[Any]:
    return list(await asyncio.gather(*works))


def _code(outcome: Heard | Crash | None) -> str:
    return outcome.code if isinstance(outcome, Heard) else str(outcome)


def test_a_key_runs_once_whatever_goes_wrong(loop: asyncio.AbstractEventLoop, module_tables: Store) -> None:
    machine: Any = partial(IdempotencyMachine, loop, module_tables)
    run_state_machine_as_test(machine, settings=settings.default)
