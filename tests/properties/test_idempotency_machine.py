"""Keyed requests as a state machine: crashes, lost answers, late duplicates, two at once, clocks that are off.

Two requests may carry each key, whose path is a chat call's or one below `/api/v1`. Whatever goes wrong, checked after
every step: a request has its effect under one id, a key is charged once at most and only for an answer that is stored,
everybody who gets an answer gets the same bytes, two runs meet only when the first should have been dead, and a key
that was released runs again. How to repeat a run: conftest.py.
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
from callmissed.aws.database import Database
from callmissed.aws.dynamodb import DynamoDB
from callmissed.clock import MINUTE, SECOND, Micros
from callmissed.idempotency.requests import keyed_request
from callmissed.idempotency.store import RETENTION_SECONDS, SKEW_SECONDS
from callmissed.keys.budgets import KeyBudgets
from callmissed.ledger.entries import EntryType
from callmissed.ledger.grants import grant
from callmissed.ledger.sweep import sweep
from callmissed.money import CREDIT, MicroCredits
from callmissed.plans.plans import Plan as PricePlan
from callmissed.platform.tables import IDEMPOTENCY, WALLETS, physical_name
from callmissed.tenants.tenants import create_tenant
from callmissed_ai.calls.call import HOLD_MINUTES
from callmissed_ai.calls.idempotency import LOCK_SECONDS as CHAT_LOCK_SECONDS
from local.aws.tables import StageTables
from tests.support.faults import FAULTS, Crash, Fault
from tests.support.idempotency import MemoryAnswers
from tests.support.inference.gateway import Account, Accounts
from tests.support.keyed_processes import (
    CHAT,
    PEPPER,
    SIZES,
    THINGS,
    End,
    PendingRequest,
    Process,
    ReceivedAnswer,
    WorkLog,
)

START = Micros(int(datetime(2026, 11, 10, 12, tzinfo=UTC).timestamp()) * SECOND)
PATHS = st.sampled_from([CHAT, THINGS])
LIFETIMES = {CHAT: 900, THINGS: 30}
PROCESSES = 2
SKEW = st.sampled_from([-5, 5, 0, 3])
Faults = Sequence[Fault | None]
BODIES = [
    json.dumps({"model": "gpt-4o", "messages": [{"role": "user", "content": text}], "max_tokens": 50}).encode()
    for text in ("one", "other")
]
_LATE, _LOST = Fault.DELAY, Fault.LOSE_ANSWER
BEGINNING = st.just(()) | st.just(()) | st.sampled_from([(_LATE,), (_LOST,), (None, _LATE), (None, _LOST)]) | FAULTS
ENDING = st.just(()) | st.sampled_from([(_LATE,), (_LOST,), (_LATE, Fault.DIE_BEFORE), (Fault.DIE_AFTER,)]) | FAULTS
ENDS = st.sampled_from([*[End.SUCCEEDS] * 4, *End])
SECONDS = st.sampled_from([0, 0, 1, 5, 20, 34, 36, 45, 50, 600, 905, 915, 930])


@dataclass(frozen=True)
class Plan:
    """What a process does next: it ends the work that it has, or serves a request and perhaps `lingers` at its work."""

    seconds: int
    body: bytes
    process: int
    beginning: Faults
    lingers: bool
    end: End
    ending: Faults
    arriving: int


PLANS = st.builds(
    Plan,
    seconds=SECONDS,
    body=st.sampled_from([*BODIES[:1] * 3, BODIES[1]]),
    process=st.integers(0, PROCESSES - 1),
    beginning=BEGINNING,
    lingers=st.booleans(),
    end=ENDS,
    ending=ENDING,
    arriving=st.integers(0, 2),
)

Ghost = tuple[str, int, End, End, Faults, bool]
GHOSTS = st.tuples(PATHS, st.sampled_from([-1, 15, 20, 25]), ENDS, ENDS, ENDING, st.booleans())
"""A run at its work for so many seconds more than its function may live, its heir, and which of them ends first."""

STORIES = st.tuples(PATHS, st.lists(PLANS, min_size=2, max_size=5))
"""What happens to one new key, in the midst of what still happens to those before."""


@dataclass
class KeyHistory:
    """What is known of one key in its 24 hours."""

    answer: bytes | None = None
    body: bytes | None = None
    released: bool = False
    latest: Process | None = None


class IdempotencyMachine(RuleBasedStateMachine):
    """Two processes serve requests with the same keys."""

    def __init__(self, loop: asyncio.AbstractEventLoop, store: StageTables) -> None:
        super().__init__()
        self.loop = loop
        self.store = store
        self.clock = START
        self.late: list[tuple[str, bytes]] = []
        self.plain = DynamoDB("us-east-1", store.endpoint, timeout_seconds=30.0)
        self.accounts = Accounts(self.plain, store.stage, PEPPER)
        self.stored_answers, self.work_log = MemoryAnswers(), WorkLog()
        self.histories: dict[tuple[str, str], KeyHistory] = {}
        self.before: set[str] = set()
        self.answered: dict[str, str] = {}
        self.account: Account | None = None
        self.dead: list[Process] = []
        self.checked = False

    @initialize(
        skews=st.lists(SKEW, min_size=PROCESSES, max_size=PROCESSES),
        stories=st.lists(STORIES, min_size=2, max_size=5),
        ghosts=st.lists(GHOSTS, min_size=1, max_size=2),
    )
    def open(self, skews: list[int], stories: list[tuple[str, list[Plan]]], ghosts: list[Ghost]) -> None:
        """A tenant with credits, processes whose clocks are off, and some keys' stories."""
        self.account = self._now(self._account())
        self.skews = skews
        self.processes = [self._process(number) for number in range(PROCESSES)]
        for ghost in ghosts:
            self._haunt(ghost)
        for path, plans in stories:
            key = self._new_key(path)
            for plan in plans:
                self._go_on(path, key, plan)

    @rule(which=st.integers(0, 9), plan=PLANS)
    def go_on(self, which: int, plan: Plan) -> None:
        """A process goes on with any key; a request that is sent again may be a caller's who lost the answer."""
        path, key = list(self.histories)[which % len(self.histories)]
        self._go_on(path, key, plan)

    @rule(path=PATHS, bodies=st.lists(st.sampled_from(BODIES), min_size=2, max_size=2), faults=BEGINNING)
    def start_at_once(self, path: str, bodies: list[bytes], faults: Faults) -> None:
        """Idle processes get requests with one new key at the same moment."""
        if any(process.request for process in self.processes):
            return
        key = self._new_key(path)
        self.processes[0].dynamodb.faults.extend(faults)
        requests = [PendingRequest(path, key, body, self.clock) for body in bodies]
        outcomes = self._now(_all([self._request(request, process) for process, request in enumerate(requests)]))
        for process, (request, outcome) in enumerate(zip(requests, outcomes, strict=True)):
            self._check_outcome(request, process, outcome, clean=False)
        assert sum(process.request is not None for process in self.processes) <= 1

    @rule(which=st.integers(0, 20))
    def arrive_late(self, which: int) -> None:
        """A request whose answer was lost arrives after all."""
        if self.late:
            self._now(self.processes[0].dynamodb.deliver_late(which))
            for history in self.histories.values():
                history.released = False

    @rule()
    def next_day(self) -> None:
        """The 24 hours of every key are over, though no record has been deleted."""
        if any(process.request for process in self.processes):
            return
        self._let_all_arrive()
        self._check()
        self.clock += (RETENTION_SECONDS + 3 * SKEW_SECONDS + CHAT_LOCK_SECONDS) * SECOND
        self._now(sweep(Database(self.plain, self.store.stage), Micros(self.clock), KeyBudgets))
        self.work_log.effects.clear()
        self.before = self._charged()
        self.answered.clear()
        self.histories = {name: KeyHistory() for name in self.histories}

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

    def _new_key(self, path: str) -> str:
        name = (path, f"key-{len(self.histories)}")
        self.histories[name] = KeyHistory()
        return name[1]

    def _go_on(self, path: str, key: str, plan: Plan) -> None:
        self.clock += plan.seconds * SECOND
        if not self.processes[plan.process].request:
            self._start(PendingRequest(path, key, plan.body, self.clock), plan.process, plan.beginning)
        elif plan.lingers:
            return
        if self.processes[plan.process].request and not plan.lingers:
            self._finish(plan.process, plan.end, plan.ending)
        for _ in range(min(plan.arriving, len(self.late))):
            self.arrive_late(0)
        self._check()

    def _haunt(self, ghost: Ghost) -> None:
        path, seconds, ends, heir_ends, ending, heir_first = ghost
        key = self._new_key(path)
        self._start(PendingRequest(path, key, BODIES[0], self.clock), 0, ())
        self.clock += (LIFETIMES[path] + seconds) * SECOND
        self._start(PendingRequest(path, key, BODIES[0], self.clock), 1, ())
        order = [(1, heir_ends), (0, ends)] if heir_first else [(0, ends), (1, heir_ends)]
        for process, end in order:
            if self.processes[process].request:
                self._finish(process, end, ending if process == 1 else ())
                self._check()

    def _quieten(self) -> None:
        for process in range(PROCESSES):
            if self.processes[process].request:
                self._finish(process, End.DIES, ())
        self._let_all_arrive()
        self.clock += (CHAT_LOCK_SECONDS + SKEW_SECONDS) * SECOND
        for path, key in self.histories:
            answers = [self._answer_of(PendingRequest(path, key, body, self.clock)) for body in BODIES]
            assert any(answer.status < 300 for answer in answers), answers
        self._check()
        self._now(
            sweep(Database(self.plain, self.store.stage), Micros(self.clock + (HOLD_MINUTES + 1) * MINUTE), KeyBudgets)
        )
        self._now(self.accounts.assert_balanced(self._known))

    def _answer_of(self, request: PendingRequest) -> ReceivedAnswer:
        self.clock += SECOND
        answer = self._start(request, 0, ()) or self._finish(0, End.SUCCEEDS, ())
        assert isinstance(answer, ReceivedAnswer)
        return answer

    def _start(self, request: PendingRequest, process: int, faults: Faults) -> ReceivedAnswer | Crash | None:
        must_run = self.histories[request[:2]].released and not any(faults)
        self.processes[process].dynamodb.faults.extend(faults)
        outcome = self._now(self._request(request, process))
        if must_run:
            event("a released key runs again")
            assert outcome is None or _code(outcome) == "rate_limit_exceeded", outcome
        self._check_outcome(request, process, outcome, clean=False)
        return outcome

    def _request(self, request: PendingRequest, process: int) -> Coroutine[Any, Any, ReceivedAnswer | Crash | None]:
        self.histories[request[:2]].latest = self.processes[process]
        return self.processes[process].start(request, {"tenant": self._known.tenant, "x-api-key": self._known.secret})

    def _finish(self, process: int, end: End, faults: Faults) -> ReceivedAnswer | Crash:
        request = self.processes[process].request
        assert request
        self.processes[process].dynamodb.faults.extend(faults)
        outcome = self._now(self.processes[process].finish(end))
        clean = not any(faults) and end not in SIZES
        event(f"{end.name} under {'some' if any(faults) else 'no'} faults: {_code(outcome) or 'success'}")
        self._check_outcome(request, process, outcome, clean=clean)
        return outcome

    def _check_outcome(
        self, request: PendingRequest, process: int, outcome: ReceivedAnswer | Crash | None, *, clean: bool
    ) -> None:
        """Hold what the caller got against what others got. `clean` work failed and nothing else did."""
        self.processes[process].dynamodb.faults.clear()
        history = self.histories[request[:2]]
        others = [other.request for other in self.processes if other is not self.processes[process] and other.request]
        rivals = [other for other in others if other.key == request.key]
        alone = history.latest is self.processes[process] and not rivals and not self.late
        history.released = clean and alone and isinstance(outcome, ReceivedAnswer)
        if outcome is None:
            self._check_overlap(rivals)
        elif isinstance(outcome, Crash):
            self._bury(process)
        elif outcome.status < 300:
            event("replayed" if outcome.replayed else "answered")
            assert history.answer in (None, outcome.body)
            assert history.body in (None, request.body)
            history.answer, history.body = outcome.body, request.body

    def _check_overlap(self, rivals: list[PendingRequest]) -> None:
        """Who still works on the key was begun so long ago that its function has ended it."""
        for rival in rivals:
            event("the lock of a run that should be dead was taken over")
            assert self.clock - rival.at >= LIFETIMES[rival.path] * SECOND

    def _bury(self, process: int) -> None:
        event("a process died")
        self.dead.append(self.processes[process])
        self.processes[process] = self._process(process)

    def _check(self) -> None:
        """Hold what is stored against the promises, unless nothing was done since the last look."""
        if self.checked:
            return
        assert all(len(operations) == 1 for operations in self.work_log.effects.values())
        charged = self._charged() - self.before
        if charged - set(self.answered.values()):
            self.answered = self._now(self._stored())
        assert charged <= set(self.answered.values())  # one call for each key, so one charge
        self.checked = True

    def _charged(self) -> set[str]:
        entries: list[Item] = self._now(self.accounts.entries(self._known.tenant))
        return {entry["entry"] for entry in entries if entry["type"] == EntryType.DEDUCTION}

    async def _stored(self) -> dict[str, str]:
        """The call that answered each key, of those whose answer is stored."""
        chats = [key for path, key in self.histories if path == CHAT]
        records = {key: await self._record(key) for key in chats}
        return {key: record["cid"] for key, record in records.items() if record.get("st") == "d"}

    async def _record(self, key: str) -> Item:
        record = keyed_request(self._known.tenant, "live", key, "").record
        table = physical_name(self.store.stage, IDEMPOTENCY)
        request = {"TableName": table, "Key": to_item({"id": record}), "ConsistentRead": True}
        return from_item((await self.plain.call("GetItem", request)).get("Item", {}))

    @property
    def _known(self) -> Account:
        assert self.account
        return self.account

    async def _account(self) -> Account:
        """A tenant with credits and a key, as of the machine's time."""
        database = Database(self.plain, self.store.stage)
        tenant = (await create_tenant(database, name="tests", plan=PricePlan.PRO, now=START)).tenant_id
        await grant(database, tenant=tenant, amount=MicroCredits(1000 * CREDIT), operation_id="start", now=START)
        key = await self.accounts.key(tenant, now=START, budget=1000 * CREDIT)
        return Account(tenant, key.secret, key.record.key_id, await self.accounts.wallet(tenant))

    def _let_all_arrive(self) -> None:
        while self.late:
            self._now(self.processes[0].dynamodb.deliver_late(0))

    def _process(self, number: int) -> Process:
        def read_clock() -> Micros:
            return Micros(self.clock + self.skews[number] * SECOND)

        return Process(self.store, self.stored_answers, self.work_log, self.late, read_clock)

    def _now(self, work: Coroutine[Any, Any, Any]) -> Any:
        self.checked = False
        return self.loop.run_until_complete(work)

    async def _end(self) -> None:
        key = to_item({"id": self._known.tenant})
        await self.plain.call("DeleteItem", {"TableName": physical_name(self.store.stage, WALLETS), "Key": key})
        for process in (*self.processes, *self.dead):
            await process.dynamodb.close()
        await self.plain.close()


async def _all(works: Sequence[Coroutine[Any, Any, Any]]) -> list[Any]:
    return list(await asyncio.gather(*works))


def _code(outcome: ReceivedAnswer | Crash | None) -> str:
    return outcome.code if isinstance(outcome, ReceivedAnswer) else str(outcome)


def test_a_key_runs_once_whatever_goes_wrong(loop: asyncio.AbstractEventLoop, module_tables: StageTables) -> None:
    machine: Any = partial(IdempotencyMachine, loop, module_tables)
    run_state_machine_as_test(machine, settings=settings.default)
