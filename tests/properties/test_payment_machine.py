"""The life of purchases as a state machine: orders, payments, callbacks, sweeps, refunds, disputes, coupons, plans.

Any step may go wrong, what was delayed arrives at any later time, and steps come between the reads of another and its
write. The promises of money that comes in are checked after every write that arrives. How to repeat a run: conftest.py.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest
from hypothesis import event, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from callmissed.aws.database import Database
from callmissed.aws.dynamodb import DynamoDB, DynamoError
from callmissed.clock import MINUTE, Micros, seconds_to_next_month
from callmissed.errors import ApiError
from callmissed.keys.budgets import KeyBudgets
from callmissed.ledger.entries import EntryType
from callmissed.ledger.months import turn_month
from callmissed.ledger.reconcile import reconcile
from callmissed.ledger.sweep import sweep
from callmissed.money import CREDIT, MicroCredits, Paise
from callmissed.plans.plans import Plan
from callmissed.platform.tables import BILLING
from functions.billing.coupons.records import Coupon
from functions.billing.coupons.service import Coupons
from functions.billing.payments.records import ORDER, OrderKind, PaymentState, order_of_gateway
from functions.billing.payments.refund_records import REFUND, RefundState, own_refund_id
from functions.billing.refunds.service import MAX_TRIES
from local.aws.tables import StageTables
from local.fakes.cashfree.fake import FakeCashfree
from local.fakes.cashfree.state import FakeOrder
from tests.support.billing.purchase_model import PurchaseModel, some
from tests.support.billing.purchases import OPERATOR, START, Purchases, new_order_id
from tests.support.faults import FAULTS, Fault, FaultyDynamoDB, tables_in
from tests.support.faulty_tenant import FaultyTenant, outcome_name
from tests.support.wallet_items import held
from tests.support.wallet_model import balances

DAY = 24 * 60
TWICE, OWED, RETURNED, SURPLUS = "an order was paid twice", "credits are owed", "credits were taken", "money went back"
Faults = Sequence[Fault | None]
LATER = st.just(()) | st.builds(lambda well, faults: (*[None] * well, *faults), st.integers(0, 8), FAULTS)
"""Faults of any of the requests of a step, most of which only read."""

WHICH = st.integers(0, 5)
MINUTES = st.sampled_from([1, 4, 16, 31, 6 * 60, DAY, 25 * DAY])
OTHERS = st.lists(st.sampled_from(["deliver", "deliver", "verify", "sweep", "retry", "refund"]), max_size=3)
GATEWAY_FAULTS = st.sampled_from(["down", "lost", "garbled"])
PAYING = st.sampled_from(["pay", "pay", "pay", "pay_twice", "fail", "drop"])


@dataclass
class SentCallback:
    """A callback of the gateway, and whether it was processed."""

    content: Any
    is_processed: bool = False


class PaymentMachine(RuleBasedStateMachine):
    """One tenant buys, and everybody who has to do with it does their part, in any order. `met` counts meetings."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        purchases: Purchases,
        dynamodb: FaultyDynamoDB,
        plain: Database,
        met: Counter[str],
    ) -> None:
        super().__init__()
        self.loop, self.purchases, self.dynamodb, self.plain, self.met = loop, purchases, dynamodb, plain, met
        self.model = PurchaseModel()
        self.callbacks: list[SentCallback] = []
        self.given_back: set[str] = set()
        """Orders whose payment went back at the gateway: they are not paid again before they are settled."""

    @initialize(
        plan=st.sampled_from([Plan.FREE, Plan.STARTER]),
        buys=st.booleans(),
        actions=st.sampled_from([("fail", "pay"), ("pay",), ("pay_twice",), ("pay", "drop"), ("fail", "pay_twice")]),
        first=st.integers(1, 2),
        amid=OTHERS,
        refunds=st.sampled_from([(), (100,), (60, 60), (60, 100)]),
        spent=st.booleans(),
    )
    def open(
        self,
        plan: Plan,
        buys: bool,
        actions: Sequence[str],
        first: int,
        amid: Sequence[str],
        refunds: Sequence[int],
        spent: bool,
    ) -> None:
        """A tenant with a coupon and an order, which may be paid, spent and refunded."""
        self.purchases.now = START
        self.now(self.purchases.open(plan))
        self.faulty_tenant = FaultyTenant(self.loop, self.purchases.tables, self.dynamodb)
        self.faulty_tenant.tenant = self.purchases.tenant
        self.faulty_tenant.reload()
        self.seen, self.dynamodb.arrived = self.dynamodb.arrived, self.arrived
        self.coupons = Coupons(self.purchases.composition.orders)
        self.code = f"C{self.purchases.tenant[4:24]}".upper()
        coupon = Coupon(self.code, MicroCredits(5 * CREDIT), 3, 2, Micros(0), None, Micros(START))
        self.now(self.coupons.create(coupon, OPERATOR))
        self.coupon_orders = [new_order_id() for _ in range(4)]
        if buys:
            self.order_plan(Plan.PRO, True, ())
        self.order_credits(100, False, ())
        for action in actions:
            self.act(0, action, False, ())
        self.meet("deliver", first, amid or ["deliver"], 3 - first)
        if spent:
            self.spend(90, ())
        if refunds:
            order_id = self.order(0)
            others = [partial(self.refunding, order_id, share, str(share)) for share in refunds[1:]]
            self.amid(self.refunding(order_id, refunds[0], "first"), others)

    @rule(credits=st.sampled_from([10, 100]), again=st.booleans(), faults=LATER)
    def order_credits(self, credits: int, again: bool, faults: Faults) -> None:
        """Somebody orders credits, or repeats the latest request."""
        ids = [id for id, items in self.model.orders.items() if items.get(ORDER, {}).get("kind") != "plan_upgrade"]
        order_id = ids[-1] if ids and again else new_order_id()
        self.model.orders.setdefault(order_id, {})
        self.attempt(self.purchases.payments.order_credits(self.purchases.buyer(order_id), credits), faults)

    @rule(plan=st.sampled_from([Plan.STARTER, Plan.PRO]), pays=st.booleans(), faults=LATER)
    def order_plan(self, plan: Plan, pays: bool, faults: Faults) -> None:
        """Somebody orders a plan, and may pay it at once."""
        buyer = self.purchases.buyer(new_order_id())
        self.model.orders[buyer.order_id] = {}
        self.attempt(self.purchases.payments.order_plan(buyer, plan), () if pays else faults)
        if pays and self.gateway_orders(buyer.order_id):
            self.act(0, "pay", True, faults)

    @rule(which=WHICH, faults=LATER)
    def retry(self, which: int, faults: Faults) -> None:
        """Somebody asks for a session to pay an order."""
        self.attempt(self.purchases.payments.retry(self.purchases.tenant, self.order(which)), faults)

    @rule(which=WHICH, faults=LATER)
    def verify(self, which: int, faults: Faults) -> None:
        """A browser comes back from the checkout."""
        self.attempt(self.purchases.payments.verify(self.purchases.tenant, self.order(which)), faults)

    @rule(which=WHICH, action=PAYING, comes=st.booleans(), faults=LATER)
    def act(self, which: int, action: str, comes: bool, faults: Faults) -> None:
        """Somebody does something at the checkout of a session, an old one too; the callback may come at once."""
        for order in self.gateway_order(which):
            if order_of_gateway(order.order_id) not in self.given_back or self.is_done(order):
                self.at_gateway(order, action)
                if comes:
                    self.deliver(-1, faults)

    @rule(which=WHICH, action=st.sampled_from(["refund", "dispute", "dispute_lost", "dispute_lost", "dispute_won"]))
    def reverse(self, which: int, action: str) -> None:
        """The payment of an order is refunded by hand at the gateway, or disputed."""
        for order in self.gateway_order(which):
            order_id = order_of_gateway(order.order_id)
            if len(self.successes(order_id)) == 1 and (action != "refund" or not order.refunded):
                self.given_back.add(order_id)
                self.at_gateway(order, action)

    @rule(which=st.integers(0, 20), faults=LATER)
    def deliver(self, which: int, faults: Faults) -> None:
        """A callback comes, for the first time or again."""
        for callback in self.callback(which):
            record = self.now(self.purchases.record(callback.content))
            failed = self.attempt(self.purchases.composition.worker.failures([record]), faults)
            callback.is_processed |= failed == []

    @rule(
        name=st.sampled_from(["deliver", "deliver", "refund"]),
        which=st.integers(0, 20),
        others=OTHERS,
        other=st.integers(0, 20),
    )
    def meet(self, name: str, which: int, others: Sequence[str], other: int) -> None:
        """Others do the same, or something else, just before what a process has decided is written."""
        self.amid(self.quietly(name, which), [partial(self.quietly, each, other) for each in others])

    @rule(refunds=st.booleans(), faults=LATER)
    def sweep(self, refunds: bool, faults: Faults) -> None:
        """The sweep over orders runs, or that over refunds."""
        self.attempt(self.purchases.sweep_refunds() if refunds else self.purchases.sweep(), faults)

    @rule(faults=LATER)
    def advance(self, faults: Faults) -> None:
        """The sweep over subscriptions runs."""
        self.attempt(self.purchases.composition.subscriptions.advance(self.purchases.tenant), faults)

    @rule(
        which=WHICH,
        share=st.sampled_from([100, 100, 1, 33, 50, 101]),
        name=st.sampled_from("abc"),
        status=st.sampled_from(["SUCCESS", "PENDING"]),
        faults=LATER,
    )
    def refund(self, which: int, share: int, name: str, status: str, faults: Faults) -> None:
        """An operator pays an order back, or a part of it."""
        self.purchases.cashfree.state.refund_status = status
        outcome = self.attempt(self.refunding(self.order(which), share, name), faults)
        event(f"refund: {outcome_name(outcome)}")
        self.take()

    @rule(which=WHICH, status=st.sampled_from(["SUCCESS", "FAILED"]))
    def decide(self, which: int, status: str) -> None:
        """The bank decides a refund, or reverses one that it had paid."""
        refunds = [each for order in self.gateway_orders() for each in order.refunds.values()]
        open_ones = [each for each in refunds if each.status == "PENDING" or is_reversible(each.refund_id, each.status)]
        if open_ones:
            refund = open_ones[which % len(open_ones)]
            self.purchases.cashfree.decide_refund(refund.order_id, refund.refund_id, status)
            self.take()

    @rule(which=st.integers(1, 4), faults=LATER)
    def redeem(self, which: int, faults: Faults) -> None:
        """Somebody redeems the coupon, some times, or repeats that."""
        for order_id in self.coupon_orders[:which]:
            self.model.orders.setdefault(order_id, {})
            buyer = self.purchases.buyer(order_id)
            self.attempt(self.coupons.redeem(buyer, self.code, Micros(self.purchases.now)), faults)

    @rule(credits=st.sampled_from([0, 4, 90]), faults=LATER)
    def spend(self, credits: int, faults: Faults) -> None:
        """A call comes, and is refused while the tenant owes."""
        owes = self.faulty_tenant.model.sum("av") < 0
        outcome = self.attempt(self.purchases.spend(credits), faults)
        if owes and not any(faults) and self.faulty_tenant.model.wallets[self.purchases.tenant]["plan"] != "free":
            assert isinstance(outcome, ApiError)
            assert outcome.code == "insufficient_credits"
            self.meeting(OWED)

    @rule(faults=LATER)
    def turn_month(self, faults: Faults) -> None:
        """The schedule starts the month."""
        now = Micros(self.purchases.now)
        work = turn_month(self.purchases.database, now, clock=lambda: now, deadline=Micros(now + 1), at_once=1)
        self.attempt(work, faults)

    @rule(minutes=MINUTES | st.none())
    def wait(self, minutes: int | None) -> None:
        """Time passes; or the month is about to turn."""
        to_turn = seconds_to_next_month(Micros(self.purchases.now)) // 60 + 1
        self.purchases.now += (minutes or to_turn) * MINUTE

    @rule(kind=GATEWAY_FAULTS, path=st.sampled_from(["payments", "refunds", "orders"]))
    def break_gateway(self, kind: str, path: str) -> None:
        """The gateway fails at its next request."""
        self.purchases.cashfree.fault(kind, path)

    @rule(which=st.integers(0, 20))
    def arrive_late(self, which: int) -> None:
        """A request whose answer was lost arrives after all."""
        if self.dynamodb.late:
            self.now(self.dynamodb.deliver_late(which))

    @invariant()
    def accounts_agree(self) -> None:
        """The accounts of all entries sum to zero, and to what the wallets have."""
        wallets = self.faulty_tenant.model
        wallets.check()
        accounts = balances(wallets.entries.values())
        assert sum(accounts.values()) == 0
        pending = sum(entry["amount"] for entry in wallets.entries.values() if wallets.pending(entry))
        of_tenant = accounts.get("tenant:available", 0) + accounts.get("tenant:held", 0)
        assert of_tenant + pending == wallets.sum("av") + sum(map(held, wallets.wallets.values()))

    def teardown(self) -> None:
        """All that is under way arrives, and all sweeps run: then every payment is credited, or went back."""
        self.purchases.cashfree.state.faults.clear()
        try:
            if hasattr(self, "coupons"):
                self.quieten()
                self.check_end()
        finally:
            self.clean()

    def quieten(self) -> None:
        """Deliver everything, and let sweeps run until nothing is left to do."""
        self.purchases.cashfree.state.refund_status = "SUCCESS"
        while self.dynamodb.late:
            self.now(self.dynamodb.deliver_late(0))
        for _ in range(12):
            for refund in [each for order in self.gateway_orders() for each in order.refunds.values()]:
                if refund.status == "PENDING":
                    self.purchases.cashfree.decide_refund(refund.order_id, refund.refund_id, "SUCCESS")
            self.take()
            for callback in self.callbacks:
                if not callback.is_processed:
                    callback.is_processed = self.now(self.purchases.receive(callback.content)) == []
            self.now(self.purchases.sweep(DAY))
            self.now(self.purchases.sweep_refunds())
            self.now(self.purchases.plan())
            if self.is_quiet():
                break
        assert self.is_quiet()
        self.now(sweep(self.plain, Micros(self.purchases.now), KeyBudgets))

    def is_quiet(self) -> bool:
        """Whether nothing is left to do but to look at unpaid orders."""
        refunds = [refund for items in self.model.orders.values() for refund in some(items, REFUND)]
        return all(callback.is_processed for callback in self.callbacks) and not any(map(is_open, refunds))

    def check_end(self) -> None:
        """Every payment is credited or went back, and no more money went back than the order says."""
        self.faulty_tenant.reload().check_quiet()
        assert self.now(reconcile(self.plain, Micros(self.purchases.now))).drifts == []
        for order_id, items in self.model.orders.items():
            if ORDER in items:
                self.check_order_end(order_id, items[ORDER])
        redeemed = [entry for entry in self.faulty_tenant.model.entries.values() if entry["type"] == EntryType.COUPON]
        assert len(redeemed) <= 2

    def check_order_end(self, order_id: str, order: Any) -> None:
        stored, successes = self.model.payments(order_id), self.successes(order_id)
        states = Counter(stored[payment]["state"] for payment in successes)
        settled = states.pop(str(PaymentState.SETTLED), 0)
        assert states.keys() <= {str(PaymentState.SURPLUS)}
        assert settled == bool(successes) or order["kind"] == OrderKind.PLAN_UPGRADE
        if states:
            self.meeting(TWICE)
        for payment in successes:
            if stored[payment]["state"] == PaymentState.SURPLUS:
                self.check_given_back(order_id, payment)
        if settled:
            assert order["paid_back"] == min(order["amount"], self.gone(order_id)), "money went back uncounted"
            if order["returned"]:
                self.meeting(RETURNED)

    def check_given_back(self, order_id: str, payment: str) -> None:
        refund = self.model.orders[order_id][REFUND + own_refund_id("sp", order_id, payment)]
        assert refund["state"] == RefundState.SUCCEEDED or refund["tries"] >= MAX_TRIES
        self.meeting(SURPLUS)

    def gone(self, order_id: str) -> int:
        """Paise of the order's own payment that are gone, by what the gateway says."""
        refunds = [refund for order in self.gateway_orders(order_id) for refund in order.refunds.values()]
        paid = [each.amount for each in refunds if each.status == "SUCCESS" and not each.refund_id.startswith("sp")]
        lost = {
            found["dispute"]["dispute_id"]: found["dispute"]["dispute_amount"]
            for found in (callback.content["data"] for callback in self.callbacks)
            if "dispute" in found
            and found["dispute"]["dispute_status"].endswith("_LOST")
            and order_of_gateway(found["order_details"]["order_id"]) == order_id
        }
        return sum(round(amount * 100) for amount in [*paid, *lost.values()])

    def clean(self) -> None:
        """Remove what later examples would find."""
        self.dynamodb.forget()
        self.dynamodb.arrived = None
        for order_id, items in self.model.orders.items():
            for name, item in items.items():
                if "due" in item:
                    self.now(self.plain.update_if(BILLING, {"id": order_id, "item": name}, remove=("due", "shard")))
        if hasattr(self, "faulty_tenant"):
            self.faulty_tenant.end()

    def amid(self, work: Coroutine[Any, Any, Any], others: Sequence[Callable[[], Awaitable[object]]]) -> None:
        """Do the work; before each of its transactions, one of the others is done."""
        self.dynamodb.before("TransactWriteItems", *others)
        try:
            self.attempt(work, ())
        finally:
            self.dynamodb.forget_actions()

    async def quietly(self, name: str, which: int) -> None:
        """Do what `name` says; a refusal is fine."""
        payments, tenant, order_id = self.purchases.payments, self.purchases.tenant, self.order(which)
        works: dict[str, Callable[[], Awaitable[object]]] = {
            "deliver": partial(self.delivering, which),
            "verify": partial(payments.verify, tenant, order_id),
            "retry": partial(payments.retry, tenant, order_id),
            "sweep": self.purchases.sweep,
            "refund": partial(self.refunding, order_id, 60, "abc"[which % 3]),
        }
        try:
            await works[name]()
        except (ApiError, DynamoError) as refused:
            event(f"{name} amid another: {outcome_name(refused)}")

    async def delivering(self, which: int) -> None:
        for callback in self.callback(which):
            callback.is_processed |= await self.purchases.receive(callback.content) == []

    async def refunding(self, order_id: str, share: int, name: str) -> object:
        amount = self.model.orders[order_id].get(ORDER, {}).get("amount", 0)
        part = None if share == 100 else Paise(amount * share // 100)
        return await self.purchases.composition.operator_refunds.refund(order_id, name, part, OPERATOR)

    async def arrived(self, request: dict[str, Any]) -> None:
        """Look at the orders, wallets and entries that a write has touched."""
        if self.seen:
            await self.seen(request)
        if self.plain.name(BILLING) in tables_in(request):
            for order_id in self.model.orders.keys() & set(ids_in(request)):
                items = [item async for item in self.plain.query(BILLING, order_id, consistent=True)]
                self.model.see(order_id, items)
        self.model.check(self.faulty_tenant.model.entries.values())

    def order(self, which: int) -> str:
        ids = [*self.model.orders]
        return ids[-1 - which % len(ids)]

    def callback(self, which: int) -> list[SentCallback]:
        """One of the callbacks, by twos in three one that was not processed."""
        new = [callback for callback in self.callbacks if not callback.is_processed]
        some_of = new if new and which % 3 else self.callbacks
        return [some_of[which % len(some_of)]] if some_of else []

    def gateway_orders(self, order_id: str = "") -> list[FakeOrder]:
        """The tenant's orders at the gateway, all attempts."""
        known = [order_id] if order_id else self.model.orders
        orders = self.purchases.cashfree.state.orders
        return [order for id, order in orders.items() if order_of_gateway(id) in known]

    def gateway_order(self, which: int) -> list[FakeOrder]:
        """One of them, if there are any."""
        orders = self.gateway_orders()
        return [orders[-1 - which % len(orders)]] if orders else []

    def successes(self, order_id: str) -> list[str]:
        """Payments of the order that succeeded at the gateway."""
        payments = [payment for order in self.gateway_orders(order_id) for payment in order.payments]
        return [payment.payment_id for payment in payments if payment.status == "SUCCESS"]

    def is_done(self, order: FakeOrder) -> bool:
        return self.model.is_done(order_of_gateway(order.order_id))

    def at_gateway(self, order: FakeOrder, action: str) -> None:
        self.purchases.cashfree.act(order.order_id, action)
        self.take()

    def take(self) -> None:
        """Keep the callbacks that the gateway has sent."""
        self.callbacks += map(SentCallback, self.purchases.callbacks())

    def meeting(self, what: str) -> None:
        event(what)
        self.met[what] += 1

    def attempt(self, work: Coroutine[Any, Any, Any], faults: Faults) -> Any:
        return self.faulty_tenant.attempt(work, faults)

    def now(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.loop.run_until_complete(work)


def is_open(refund: Any) -> bool:
    """Whether the refund is still followed."""
    return refund["state"] == RefundState.PENDING


def is_reversible(refund_id: str, status: str) -> bool:
    """Whether a bank may still reverse the refund; people see to a surplus that comes back."""
    return status == "SUCCESS" and not refund_id.startswith("sp")


def ids_in(request: dict[str, Any]) -> Iterator[str]:
    """Values of `id` of the items that a write names."""
    parts = [part for action in request.get("TransactItems", []) for part in action.values()] or [request]
    for part in parts:
        key = part.get("Key") or part.get("Item") or {}
        if "id" in key:
            yield key["id"]["S"]


@pytest.fixture
def purchases(
    loop: asyncio.AbstractEventLoop, module_tables: StageTables, dynamodb: FaultyDynamoDB
) -> Iterator[Purchases]:
    with FakeCashfree().serving() as cashfree:
        purchases = Purchases(module_tables, dynamodb, cashfree)
        yield purchases
        loop.run_until_complete(purchases.close())


def test_money_comes_in_once_whatever_goes_wrong(
    loop: asyncio.AbstractEventLoop, module_tables: StageTables, dynamodb: FaultyDynamoDB, purchases: Purchases
) -> None:
    client = DynamoDB("us-east-1", module_tables.endpoint, timeout_seconds=30.0)
    met: Counter[str] = Counter()
    machine: Any = partial(PaymentMachine, loop, purchases, dynamodb, Database(client, module_tables.stage), met)
    few = settings(max_examples=max(10, settings().max_examples // 4), stateful_step_count=20)
    run_state_machine_as_test(machine, settings=few)
    loop.run_until_complete(client.close())
    assert met[TWICE] and met[SURPLUS] and met[RETURNED]
