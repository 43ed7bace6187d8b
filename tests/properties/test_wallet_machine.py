"""The life of a wallet as a state machine: every step may go wrong, and late requests come between any two others.

Design §7's promises, checked after every write that arrives and after every step. How to repeat a run: conftest.py.
"""

import asyncio
from collections import Counter
from collections.abc import Coroutine
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

from hypothesis import event, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from callmissed.aws.database import Database
from callmissed.clock import MINUTE, SECOND, Micros, month_of, seconds_to_next_month
from callmissed.errors import ApiError
from callmissed.ids import expires_at, new_call_id
from callmissed.keys.budgets import KeyBudgets
from callmissed.ledger.entries import EntryType, LedgerEntry
from callmissed.ledger.grants import grant
from callmissed.ledger.holds import Hold, Ledger, Settlement
from callmissed.ledger.reconcile import ReconcileReport, reconcile
from callmissed.ledger.sweep import sweep
from callmissed.ledger.wallet import ACTIVE, NO_BUDGET
from callmissed.money import MicroCredits
from local.aws.tables import StageTables
from tests.support.faults import FAULTS, Fault, FaultyDynamoDB
from tests.support.faulty_tenant import Failure, FaultyTenant, outcome_name
from tests.support.interleaving import Action
from tests.support.tenant_wallets import deduction
from tests.support.wallet_items import quota_name, quotas
from tests.support.wallet_plans import CALM, CREATING, EXPIRED, PLANS, SKEW, Faults, Plan, Replay

START = Micros(int(datetime(2026, 11, 30, 23, 59, 50, tzinfo=UTC).timestamp()) * SECOND)
AMID_SWEEP, SUSPENDED, LATE_SHARD = "an entry came amid a sweep", "a hold met a suspended tenant", "a shard came late"


@dataclass
class Call:
    """A call of the tenant as the process that serves it knows it."""

    id: str
    hold: Hold | None
    settling: bool = False
    released: bool = False


class WalletMachine(RuleBasedStateMachine):
    """Calls, grants, sweeps and month turns on one tenant's wallets, under faults. `met` counts the rare meetings."""

    calls = Bundle("calls")
    past = Bundle("past")

    def __init__(
        self, loop: asyncio.AbstractEventLoop, store: StageTables, dynamodb: FaultyDynamoDB, met: Counter[str]
    ) -> None:
        super().__init__()
        self.met = met
        self.faulty_tenant = FaultyTenant(loop, store, dynamodb)
        self.ledger = Ledger(Database(dynamodb, store.stage))
        self.clock = START
        self.started = 0
        self.latest_expiry = 0

    @initialize(
        target=calls,
        shards=st.sampled_from([1, 1, 3]),
        credits=st.sampled_from([300, 5000, 50_000]),
        budget=st.sampled_from([None, 200, None, 3000]),
        quota=st.sampled_from([40, 2, 40]),
        plans=st.lists(PLANS, min_size=2, max_size=6),
        creating=CREATING,
        stopped=PLANS,
        expired=EXPIRED,
    )
    def open(
        self,
        shards: int,
        credits: int,
        budget: int | None,
        quota: int,
        plans: list[Plan],
        creating: Faults,
        stopped: Plan,
        expired: tuple[int, int, bool],
    ) -> Any:
        """A tenant with credits and calls; levelling shards moves no call counters, so sharded ones have no quota."""
        self.shards = shards
        cap = NO_BUDGET if budget is None else budget
        few = {} if shards > 1 else {"q_llm": quota}
        self.faulty_tenant.start("enterprise" if shards > 1 else "free", month_of(START), bud=cap, bl=cap, **few)
        assert self.faulty_tenant.now(self._grant("first", credits)) is True
        if shards > 1:
            self._create_shards(creating)
        calls = [self._settle_amid_sweep(*expired), self._serve_suspended(stopped)]
        return multiple(*calls, *map(self._serve, plans))

    @rule(target=past, operation=st.sampled_from("abcd"), amount=st.integers(1, 900), faults=FAULTS)
    def grant(self, operation: str, amount: int, faults: Faults) -> Any:
        """Credits come in; each operation id once, whoever repeats it with whatever amount."""

        outcome = self.faulty_tenant.attempt(self._grant(operation, amount), faults)
        assert any(faults) or isinstance(outcome, bool)
        return (lambda: self._grant(operation, amount), isinstance(outcome, bool))

    @rule(target=calls, plan=PLANS)
    def serve(self, plan: Plan) -> Call:
        """A call, from its start to wherever its process gets."""
        return self._serve(plan)

    @rule(target=calls, plan=PLANS)
    def serve_suspended(self, plan: Plan) -> Call:
        """A call while an operator has stopped the tenant."""
        return self._serve_suspended(plan)

    @rule(target=calls, expired=EXPIRED)
    def settle_amid_sweep(self, expired: tuple[int, int, bool]) -> Call:
        """A call whose entry comes between the sweep's read and its VOID."""
        return self._settle_amid_sweep(*expired)

    @rule(target=past, call=calls, share=st.integers(0, 100), faults=FAULTS)
    def settle(self, call: Call, share: int, faults: Faults) -> Any:
        """A call that has not failed is charged what it cost, once, however often that is tried."""
        if call.hold is None or call.released:
            return multiple()
        return self._settle(call, call.hold, share, faults)

    @rule(target=past, call=calls, faults=FAULTS)
    def release(self, call: Call, faults: Faults) -> Any:
        """A call that failed, and was never settled, gives everything back."""
        if call.hold is None or call.settling:
            return multiple()
        return self._release(call, call.hold, faults)

    @rule(target=past, skew=SKEW, faults=FAULTS)
    def sweep(self, skew: int, faults: Faults) -> Any:
        """The sweeper runs, by its own clock."""
        at = self.clock + skew
        outcome = self.faulty_tenant.attempt(
            sweep(Database(self.faulty_tenant.dynamodb, self.faulty_tenant.stage), Micros(at), KeyBudgets), faults
        )
        assert any(faults) or not isinstance(outcome, Failure)
        return (
            lambda: sweep(Database(self.faulty_tenant.dynamodb, self.faulty_tenant.stage), Micros(at), KeyBudgets),
            False,
        )

    @rule(skew=SKEW, faults=FAULTS)
    def reconcile(self, skew: int, faults: Faults) -> None:
        """The nightly comparison; nothing that is under way is a drift."""
        report = self.faulty_tenant.attempt(
            reconcile(Database(self.faulty_tenant.dynamodb, self.faulty_tenant.stage), Micros(self.clock + skew)),
            faults,
        )
        assert any(faults) or isinstance(report, ReconcileReport)
        assert not isinstance(report, ReconcileReport) or report.drifts == []

    @rule(replay=past)
    def replay(self, replay: Replay) -> None:
        """Anything may be repeated at any time; what was done changes nothing."""
        work, done = replay
        before = self.faulty_tenant.model.wallets
        self.faulty_tenant.attempt(work(), ())
        assert not done or self.faulty_tenant.model.wallets == before

    @rule(which=st.integers(0, 20))
    def arrive_late(self, which: int) -> None:
        """A request whose answer was lost arrives after all."""
        if self.faulty_tenant.dynamodb.late:
            self.faulty_tenant.now(self.faulty_tenant.dynamodb.deliver_late(which))

    @rule(seconds=st.integers(1, 120) | st.none(), offset=st.integers(-5, 5))
    def wait(self, seconds: int | None, offset: int) -> None:
        """Time passes; holds expire. Or the month is about to turn, or just has."""
        self.clock += (seconds or seconds_to_next_month(Micros(self.clock)) + offset) * SECOND

    @rule(status=st.sampled_from([ACTIVE, ACTIVE, "suspended"]))
    def suspend(self, status: str) -> None:
        """An operator stops the tenant, or lets it go on."""
        self._suspend(status)

    @invariant()
    def sums_hold(self) -> None:
        """Design §7's equations, on the strongly consistent reads of the last write."""
        self.faulty_tenant.model.check()

    def teardown(self) -> None:
        """What is under way arrives, everything expires and is swept: then nothing has leaked."""
        try:
            if self.faulty_tenant.model.wallets:
                self._quieten()
        finally:
            self.faulty_tenant.end()

    def _let_arrive(self, most: int) -> None:
        for _ in range(min(most, len(self.faulty_tenant.dynamodb.late))):
            self.faulty_tenant.now(self.faulty_tenant.dynamodb.deliver_late(0))

    def _quieten(self) -> None:
        self._let_arrive(len(self.faulty_tenant.dynamodb.late))
        end = max(self.clock, self.latest_expiry) + MINUTE
        self.faulty_tenant.now(
            sweep(Database(self.faulty_tenant.dynamodb, self.faulty_tenant.stage), Micros(end), KeyBudgets)
        )
        again = self.faulty_tenant.now(
            sweep(Database(self.faulty_tenant.dynamodb, self.faulty_tenant.stage), Micros(end), KeyBudgets)
        )
        assert again.backlog == 0
        self.faulty_tenant.read_all()
        self.faulty_tenant.model.check_quiet()
        assert (
            self.faulty_tenant.now(
                reconcile(Database(self.faulty_tenant.dynamodb, self.faulty_tenant.stage), Micros(end))
            ).drifts
            == []
        )

    def _grant(self, operation: str, amount: int) -> Coroutine[Any, Any, bool]:
        stage, tenant = self.faulty_tenant.stage, self.faulty_tenant.tenant
        work = partial(
            grant,
            Database(self.faulty_tenant.dynamodb, stage),
            tenant=tenant,
            amount=MicroCredits(amount),
            operation_id=operation,
        )
        return work(now=Micros(self.clock))

    def _suspend(self, status: str) -> None:
        for wallet in list(self.faulty_tenant.model.wallets.values()):
            self.faulty_tenant.write(wallet | {"st": status})

    def _serve_suspended(self, plan: Plan) -> Call:
        self._suspend("suspended")
        call = self._serve(plan)
        self._meet(SUSPENDED)
        self._suspend(ACTIVE)
        return call

    def _create_shards(self, faults: Faults) -> None:
        """A hold that finds no shard but the first makes them, and levels; then a shard's lost write arrives."""
        self._serve(replace(CALM, amount=10, placing=faults, arriving=len(faults)))
        if len(self.faulty_tenant.model.wallets) == self.shards:
            self._meet(LATE_SHARD)

    def _settle_amid_sweep(self, amount: int, share: int, dies: bool) -> Call:
        call = self._serve(replace(CALM, amount=amount))
        if call.hold is None:
            return call
        self.clock = max(self.clock, expires_at(call.id))
        arrival = self._entry_in_flight(call, call.hold, share, dies=dies)
        dynamodb = self.faulty_tenant.dynamodb
        dynamodb.before("PutItem", arrival, matching=lambda request: request["Item"]["entry"]["S"] == call.id)
        self.faulty_tenant.now(sweep(Database(dynamodb, self.faulty_tenant.stage), Micros(self.clock), KeyBudgets))
        assert dynamodb.pending == 0
        entry = self.faulty_tenant.model.entries[call.id]
        assert (entry["type"], self.faulty_tenant.model.pending(entry)) == (EntryType.DEDUCTION, False)
        self._meet(AMID_SWEEP)
        return call

    def _entry_in_flight(self, call: Call, hold: Hold, share: int, *, dies: bool) -> Action:
        """What makes the call's entry arrive: its process, which died and left it on its way, or settles now."""
        call.settling = True
        settle = partial(self.ledger.settle, hold, self._entry(hold, share))
        if not dies:
            return settle
        self.faulty_tenant.attempt(settle(), (Fault.DIE_IN_FLIGHT,))
        return partial(self.faulty_tenant.dynamodb.deliver_late, len(self.faulty_tenant.dynamodb.late) - 1)

    def _meet(self, what: str) -> None:
        event(what)
        self.met[what] += 1

    def _serve(self, plan: Plan) -> Call:
        self.started += 1
        id = new_call_id(Micros(self.clock + plan.skew), plan.minutes, random_bits=self.started)
        self.latest_expiry = max(self.latest_expiry, expires_at(id))
        call = Call(id, self._hold(id, plan))
        if plan.seconds:
            self.clock += plan.seconds * SECOND
            self.faulty_tenant.now(
                sweep(Database(self.faulty_tenant.dynamodb, self.faulty_tenant.stage), Micros(self.clock), KeyBudgets)
            )
        if call.hold and plan.then == "settle":
            self._settle(call, call.hold, plan.share, plan.resolving)
        elif call.hold and plan.then == "release":
            self._release(call, call.hold, plan.resolving)
        self._let_arrive(plan.arriving)
        return call

    def _hold(self, id: str, plan: Plan) -> Hold | None:
        expected = self._refusal(month_of(Micros(self.clock + plan.skew)), plan.amount)
        work = self.ledger.hold(self.faulty_tenant.tenant, id, "llm", MicroCredits(plan.amount), shards=self.shards)
        held = self.faulty_tenant.attempt(work, plan.placing)
        event(f"hold under {'some' if any(plan.placing) else 'no'} faults: {outcome_name(held)}")
        if not any(plan.placing):
            assert (held.code if isinstance(held, ApiError) else None) == expected
        return held[0] if isinstance(held, tuple) else None

    def _settle(self, call: Call, hold: Hold, share: int, faults: Faults) -> Replay:
        call.settling = True
        entry = self._entry(hold, share)
        settlement = self.faulty_tenant.attempt(self.ledger.settle(hold, entry), faults)
        event(f"settle under {'some' if any(faults) else 'no'} faults: {outcome_name(settlement)}")
        if isinstance(settlement, Settlement):
            self._check_settled(call, settlement)
        assert any(faults) or settlement in (Settlement.APPLIED, Settlement.VOIDED)
        return (lambda: self.ledger.settle(hold, entry), settlement is Settlement.APPLIED)

    def _release(self, call: Call, hold: Hold, faults: Faults) -> Replay:
        call.released = True
        outcome = self.faulty_tenant.attempt(self.ledger.release(hold), faults)
        assert any(faults) or isinstance(outcome, bool)
        return (lambda: self.ledger.release(hold), isinstance(outcome, bool))

    def _entry(self, hold: Hold, share: int) -> LedgerEntry:
        return replace(deduction(hold, hold.amount * share // 100), created=Micros(self.clock))

    def _check_settled(self, call: Call, settlement: Settlement) -> None:
        entry = self.faulty_tenant.model.entries[call.id]
        assert (entry["type"] == EntryType.VOID) == (settlement is Settlement.VOIDED)
        assert settlement is not Settlement.APPLIED or not self.faulty_tenant.model.pending(entry)

    def _refusal(self, month: int, amount: int) -> str | None:
        """What a hold of `amount` by a clock in `month` must be refused with, derived from the current wallets."""
        wallets = list(self.faulty_tenant.model.wallets.values())
        current = [wallet | self._fresh(wallet) if wallet["mon"] < month else wallet for wallet in wallets]
        if current[0]["st"] != ACTIVE:
            return "account_inactive"
        if current[0][quota_name("llm")] < 1:
            return "quota_exceeded"
        if sum(wallet["av"] for wallet in current) < amount:
            return "insufficient_credits"
        return "budget_exceeded" if sum(wallet["bl"] for wallet in current) < amount else None

    @staticmethod
    def _fresh(wallet: dict[str, Any]) -> dict[str, Any]:
        return {"bl": wallet["bl"] + wallet["sp"], "sp": 0, **quotas(wallet["plan"])}


def test_money_is_conserved_whatever_goes_wrong(
    loop: asyncio.AbstractEventLoop, module_tables: StageTables, dynamodb: FaultyDynamoDB
) -> None:
    met: Counter[str] = Counter()
    machine: Any = partial(WalletMachine, loop, module_tables, dynamodb, met)
    run_state_machine_as_test(machine, settings=settings.default)
    assert met.keys() == {AMID_SWEEP, SUSPENDED, LATE_SHARD}
