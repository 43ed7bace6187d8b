"""The life of a wallet as a state machine: every step may go wrong, and late requests come between any two others.

The ledger's promises, checked after every write that arrives and after every step. How to repeat a run: conftest.py.
"""

import asyncio
from collections import Counter
from collections.abc import Coroutine
from dataclasses import replace
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
from callmissed.ledger.budgets import set_budget
from callmissed.ledger.entries import EntryType, LedgerEntry
from callmissed.ledger.grants import grant
from callmissed.ledger.holds import Hold, Ledger, Settlement
from callmissed.ledger.months import MonthReport, turn_month
from callmissed.ledger.reconcile import ReconcileReport, reconcile
from callmissed.ledger.returns import take_back
from callmissed.ledger.shards import change_plan, shard_of, wallet_id
from callmissed.ledger.sweep import sweep
from callmissed.ledger.wallet import ACTIVE, NO_BUDGET
from callmissed.money import MicroCredits
from callmissed.plans.plans import Plan as SubscribedPlan
from callmissed.plans.plans import limits
from local.aws.tables import StageTables
from tests.support.faults import FAULTS, Fault, FaultyDynamoDB
from tests.support.faulty_tenant import Failure, FaultyTenant, outcome_name
from tests.support.interleaving import Action
from tests.support.tenant_wallets import deduction
from tests.support.wallet_plans import CALM, CREATING, EXPIRED, PLANS, SKEW, Call, Faults, Meeting, Plan, Replay

START = Micros(int(datetime(2026, 11, 30, 23, 59, 50, tzinfo=UTC).timestamp()) * SECOND)


class WalletMachine(RuleBasedStateMachine):
    """Calls, grants, refunds, budgets, plans, sweeps and months on one tenant's wallets, under faults.

    `met` counts the rare meetings.
    """

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
        subscribed=st.sampled_from(["free", "starter"]),
        owes=st.booleans(),
        leaves=st.booleans(),
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
        subscribed: str,
        owes: bool,
        leaves: bool,
        plans: list[Plan],
        creating: Faults,
        stopped: Plan,
        expired: tuple[int, int, bool],
    ) -> Any:
        """A tenant with credits and calls; levelling shards moves no call counters, so sharded ones have no quota."""
        self.shards = shards
        cap = NO_BUDGET if budget is None else budget
        few = {} if shards > 1 else {"q_llm": quota}
        self.faulty_tenant.start("enterprise" if shards > 1 else subscribed, month_of(START), bud=cap, bl=cap, **few)
        assert self.faulty_tenant.now(self._grant("first", credits)) is True
        if shards > 1:
            self._create_shards(creating)
        calls = [self._settle_amid_sweep(*expired), self._serve_suspended(stopped)]
        calls += [self._serve_indebted()] if owes else []
        calls += map(self._serve, plans)
        if leaves:
            self._change_plan(SubscribedPlan.STARTER, owes, 0, ())
        return multiple(*calls)

    @rule(
        target=past,
        operation=st.sampled_from("abcdef"),
        amount=st.integers(1, 900),
        kind=st.sampled_from([EntryType.ADMIN, EntryType.PURCHASE, EntryType.COUPON]),
        faults=FAULTS,
    )
    def grant(self, operation: str, amount: int, kind: EntryType, faults: Faults) -> Any:
        """Credits come in; each operation id once, whoever repeats it with whatever amount."""
        outcome = self.faulty_tenant.attempt(self._grant(operation, amount, kind), faults)
        assert any(faults) or isinstance(outcome, bool)
        return (lambda: self._grant(operation, amount, kind), isinstance(outcome, bool))

    @rule(target=past, operation=st.sampled_from("defg"), amount=st.integers(1, 900), faults=FAULTS)
    def take_back(self, operation: str, amount: int, faults: Faults) -> Any:
        """Credits are taken back, whether they are spent or not; an operation id that granted takes nothing."""
        outcome = self.faulty_tenant.attempt(self._take_back(operation, amount), faults)
        assert any(faults) or isinstance(outcome, bool)
        return (lambda: self._take_back(operation, amount), isinstance(outcome, bool))

    @rule(budget=st.none() | st.integers(0, 2000), alerts=st.booleans(), faults=FAULTS)
    def set_budget(self, budget: int | None, alerts: bool, faults: Faults) -> None:
        """The tenant sets its budget, whatever it has spent."""
        amount = None if budget is None else MicroCredits(budget)
        outcome = self.faulty_tenant.attempt(
            set_budget(self.faulty_tenant.database, self.faulty_tenant.tenant, amount, alerts=alerts), faults
        )
        assert any(faults) or outcome is None
        assert outcome is not None or self.faulty_tenant.model.sum("bud") == self._budget_of_all(budget)

    @rule(plan=st.sampled_from([*SubscribedPlan]), lags=st.booleans(), skew=SKEW, faults=FAULTS)
    def change_plan(self, plan: SubscribedPlan, lags: bool, skew: int, faults: Faults) -> None:
        """Another plan; where `lags`, calls still count on the wallets of the one before."""
        self._change_plan(plan, lags, skew, faults)

    @rule(skew=SKEW, faults=FAULTS)
    def turn_month(self, skew: int, faults: Faults) -> None:
        """The schedule starts the month, and drains wallets without use: one write at a time, so that each is seen."""
        now = Micros(self.clock + skew)
        work = turn_month(self.faulty_tenant.database, now, clock=lambda: now, deadline=Micros(now + 1), at_once=1)
        outcome = self.faulty_tenant.attempt(work, faults)
        assert any(faults) or isinstance(outcome, MonthReport)

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
        outcome = self.faulty_tenant.attempt(sweep(self.faulty_tenant.database, Micros(at), KeyBudgets), faults)
        assert any(faults) or not isinstance(outcome, Failure)
        return (
            lambda: sweep(self.faulty_tenant.database, Micros(at), KeyBudgets),
            False,
        )

    @rule(skew=SKEW, faults=FAULTS)
    def reconcile(self, skew: int, faults: Faults) -> None:
        """The nightly comparison; nothing that is under way is a drift."""
        report = self.faulty_tenant.attempt(
            reconcile(self.faulty_tenant.database, Micros(self.clock + skew)),
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
        self.faulty_tenant.model.check_operations()

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
        self.faulty_tenant.now(sweep(self.faulty_tenant.database, Micros(end), KeyBudgets))
        again = self.faulty_tenant.now(sweep(self.faulty_tenant.database, Micros(end), KeyBudgets))
        assert again.backlog == 0
        self.faulty_tenant.read_all()
        self.faulty_tenant.model.check_quiet()
        assert self.faulty_tenant.now(reconcile(self.faulty_tenant.database, Micros(end))).drifts == []

    def _grant(self, operation: str, amount: int, kind: EntryType = EntryType.ADMIN) -> Coroutine[Any, Any, bool]:
        tenant, credits = self.faulty_tenant.tenant, MicroCredits(amount)
        work = partial(grant, self.faulty_tenant.database, tenant=tenant, amount=credits, operation_id=operation)
        return work(now=Micros(self.clock), kind=kind)

    def _take_back(self, operation: str, amount: int) -> Coroutine[Any, Any, bool]:
        tenant, credits = self.faulty_tenant.tenant, MicroCredits(amount)
        work = partial(take_back, self.faulty_tenant.database, tenant=tenant, amount=credits, operation_id=operation)
        return work(now=Micros(self.clock))

    def _budget_of_all(self, budget: int | None) -> int:
        return NO_BUDGET * len(self.faulty_tenant.model.wallets) if budget is None else budget

    def _change_plan(self, plan: SubscribedPlan, lags: bool, skew: int, faults: Faults) -> None:
        faulty_tenant, wallets = self.faulty_tenant, self.faulty_tenant.model.wallets
        work = change_plan(faulty_tenant.database, faulty_tenant.tenant, plan, Micros(self.clock + skew))
        changed = faulty_tenant.attempt(work, faults)
        assert any(faults) or isinstance(changed, bool)
        if changed is True and len(wallets) > 1 and plan is not SubscribedPlan.ENTERPRISE:
            self._meet(Meeting.LEFT)
        if not lags and isinstance(changed, bool):
            self.shards = 3 if plan is SubscribedPlan.ENTERPRISE else 1

    def _serve_indebted(self) -> Call:
        """A free call while the tenant owes, more than a month of the free plan brings; the next grant ends it."""
        taken = self.faulty_tenant.model.sum("av") + limits("free").monthly_grant + 10
        assert self.faulty_tenant.now(self._take_back("first-refund", taken)) is True
        call = self._serve(CALM)
        assert call.hold is None
        assert self.faulty_tenant.now(self._grant("end of the debt", taken)) is True
        self._meet(Meeting.OWED)
        return call

    def _suspend(self, status: str) -> None:
        for wallet in list(self.faulty_tenant.model.wallets.values()):
            self.faulty_tenant.write(wallet | {"st": status})

    def _serve_suspended(self, plan: Plan) -> Call:
        self._suspend("suspended")
        call = self._serve(plan)
        self._meet(Meeting.SUSPENDED)
        self._suspend(ACTIVE)
        return call

    def _create_shards(self, faults: Faults) -> None:
        """A hold that finds no shard but the first makes them, and levels; then a shard's lost write arrives."""
        self._serve(replace(CALM, amount=10, placing=faults, arriving=len(faults)))
        if len(self.faulty_tenant.model.wallets) == self.shards:
            self._meet(Meeting.LATE_SHARD)

    def _settle_amid_sweep(self, amount: int, share: int, dies: bool) -> Call:
        call = self._serve(replace(CALM, amount=amount))
        if call.hold is None:
            return call
        self.clock = max(self.clock, expires_at(call.id))
        arrival = self._entry_in_flight(call, call.hold, share, dies=dies)
        dynamodb = self.faulty_tenant.dynamodb
        dynamodb.before("PutItem", arrival, matching=lambda request: request["Item"]["entry"]["S"] == call.id)
        self.faulty_tenant.now(sweep(self.faulty_tenant.database, Micros(self.clock), KeyBudgets))
        assert dynamodb.pending == 0
        entry = self.faulty_tenant.model.entries[call.id]
        assert (entry["type"], self.faulty_tenant.model.pending(entry)) == (EntryType.DEDUCTION, False)
        self._meet(Meeting.AMID_SWEEP)
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
            self.faulty_tenant.now(sweep(self.faulty_tenant.database, Micros(self.clock), KeyBudgets))
        if call.hold and plan.then == "settle":
            self._settle(call, call.hold, plan.share, plan.resolving)
        elif call.hold and plan.then == "release":
            self._release(call, call.hold, plan.resolving)
        self._let_arrive(plan.arriving)
        return call

    def _hold(self, id: str, plan: Plan) -> Hold | None:
        expected = self.faulty_tenant.model.refusal(
            wallet_id(self.faulty_tenant.tenant, shard_of(id, self.shards)),
            plan.amount,
            month_of(Micros(self.clock + plan.skew)),
        )
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


def test_money_is_conserved_whatever_goes_wrong(
    loop: asyncio.AbstractEventLoop, module_tables: StageTables, dynamodb: FaultyDynamoDB
) -> None:
    met: Counter[str] = Counter()
    machine: Any = partial(WalletMachine, loop, module_tables, dynamodb, met)
    run_state_machine_as_test(machine, settings=settings.default)
    assert met.keys() == set(Meeting)
