"""The life of purchases as a state machine: orders, payments, callbacks, sweeps, refunds, disputes, coupons, plans.

Any step may go wrong, what was delayed arrives at any later time, and steps come between the reads of another and its
write. The promises of money that comes in are checked after every write that arrives. How to repeat a run: conftest.py.
"""

import asyncio
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import pytest
from hypothesis import event, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule, run_state_machine_as_test

from callmissed.aws.database import Database
from callmissed.aws.dynamodb import DynamoDB
from callmissed.clock import MINUTE, Micros, seconds_to_next_month
from callmissed.errors import ApiError
from callmissed.ledger.months import turn_month
from callmissed.plans.plans import Plan
from functions.billing.payments.records import ORDER, order_of_gateway
from local.aws.tables import StageTables
from local.fakes.cashfree.fake import FakeCashfree
from tests.support.billing.buying_machine import DAY, OWED, RETURNED, SURPLUS, TWICE, BuyingMachine, Faults
from tests.support.billing.purchases import Purchases, new_order_id
from tests.support.faults import FAULTS, FaultyDynamoDB
from tests.support.faulty_tenant import outcome_name

LATER = st.just(()) | st.builds(lambda well, faults: (*[None] * well, *faults), st.integers(0, 8), FAULTS)
"""Faults of any of the requests of a step, most of which only read."""

WHICH = st.integers(0, 5)
MINUTES = st.sampled_from([1, 4, 16, 31, 6 * 60, DAY, 25 * DAY])
OTHERS = st.lists(st.sampled_from(["deliver", "deliver", "verify", "sweep", "retry", "refund"]), max_size=3)
GATEWAY_FAULTS = st.sampled_from(["down", "lost", "garbled"])
PAYING = st.sampled_from(["pay", "pay", "pay", "pay_twice", "fail", "drop"])


class PaymentMachine(BuyingMachine):
    """One tenant buys, and everybody who has to do with it does their part, in any order."""

    @initialize(
        plan=st.sampled_from([Plan.FREE, Plan.STARTER]),
        buys=st.booleans(),
        actions=st.sampled_from([("fail", "pay"), ("fail", "pay_twice"), ("pay_twice",), ("pay", "drop")]),
        first=st.integers(1, 2),
        amid=OTHERS,
        refunds=st.sampled_from([(), (100,), (60, 60), (60, 100)]),
        spent=st.booleans(),
        late=st.sampled_from([False, False, True]),
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
        late: bool,
    ) -> None:
        """A tenant with a coupon and an order, which may expire, and be paid, spent and refunded."""
        self.enter(plan)
        if buys:
            self.order_plan(Plan.PRO, True, ())
        self.order_credits(100, False, ())
        if late:
            self.wait(40)
            self.sweep(False, ())
        for action in actions:
            self.act(0, action, False, ())
        self.meet("deliver", first, ["deliver", *amid], 3 - first)
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

    @rule(
        which=WHICH,
        action=st.sampled_from(["refund", "dispute", "dispute_lost", "dispute_lost", "dispute_won", "arbitration_won"]),
    )
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


def is_reversible(refund_id: str, status: str) -> bool:
    """Whether a bank may still reverse the refund; people see to a surplus that comes back."""
    return status == "SUCCESS" and not refund_id.startswith("surplus")


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
    few = settings(max_examples=max(10, settings().max_examples * 3 // 10), stateful_step_count=20)
    run_state_machine_as_test(machine, settings=few)
    loop.run_until_complete(client.close())
    assert met[TWICE] and met[SURPLUS] and met[RETURNED]
