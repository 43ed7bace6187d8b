"""A tenant that buys, as a state machine without steps: who does what in between, what is seen, and how it ends."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from hypothesis import event
from hypothesis.stateful import RuleBasedStateMachine, invariant

from callmissed.aws.database import Database
from callmissed.aws.dynamodb import DynamoError
from callmissed.clock import Micros
from callmissed.errors import ApiError
from callmissed.keys.budgets import KeyBudgets
from callmissed.ledger.entries import EntryType
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
from local.fakes.cashfree.state import FakeOrder
from tests.support.billing.purchase_model import PurchaseModel, some
from tests.support.billing.purchases import OPERATOR, START, Purchases, new_order_id
from tests.support.faults import Fault, FaultyDynamoDB, tables_in
from tests.support.faulty_tenant import FaultyTenant, outcome_name
from tests.support.wallet_items import held
from tests.support.wallet_model import balances

DAY = 24 * 60
TWICE, OWED, RETURNED, SURPLUS = "an order was paid twice", "credits are owed", "credits were taken", "money went back"
Faults = Sequence[Fault | None]


@dataclass
class SentCallback:
    """A callback of the gateway, and whether it was processed."""

    content: Any
    is_processed: bool = False


class BuyingMachine(RuleBasedStateMachine):
    """What the steps of a machine over purchases share. `met` counts meetings."""

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
        self.broken: list[AssertionError] = []
        self.given_back: set[str] = set()
        """Orders whose payment went back at the gateway: they are not paid again before they are settled."""

    def enter(self, plan: Plan) -> None:
        """Create the tenant, and a coupon that adds five credits, twice for each tenant."""
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

    @invariant()
    def accounts_agree(self) -> None:
        """The accounts of all entries sum to zero, and to what the wallets have."""
        self.raise_broken()
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
        self.raise_broken()
        assert self.is_quiet()
        self.now(sweep(self.plain, Micros(self.purchases.now), KeyBudgets))

    def raise_broken(self) -> None:
        """Raise what a write broke."""
        if self.broken:
            raise self.broken[0]

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
        refund = self.model.orders[order_id][REFUND + own_refund_id("surplus", order_id, payment)]
        assert refund["state"] == RefundState.SUCCEEDED or refund["tries"] >= MAX_TRIES
        self.meeting(SURPLUS)

    def gone(self, order_id: str) -> int:
        """Paise of the order's own payment that are gone, by what the gateway says."""
        refunds = [refund for order in self.gateway_orders(order_id) for refund in order.refunds.values()]
        paid = [
            each.amount for each in refunds if each.status == "SUCCESS" and not each.refund_id.startswith("surplus")
        ]
        lost: dict[str, float] = {}
        for found in (callback.content["data"] for callback in self.callbacks):
            if "dispute" in found and order_of_gateway(found["order_details"]["order_id"]) == order_id:
                dispute = found["dispute"]
                if dispute["dispute_status"].endswith("_LOST"):
                    lost[dispute["dispute_id"]] = dispute["dispute_amount"]
                if dispute["dispute_status"].endswith("_WON"):
                    lost.pop(dispute["dispute_id"], None)
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
        """Look at what a write has touched. The worker logs any failure of a callback, so it is raised again later."""
        try:
            await self.look(request)
        except AssertionError as error:
            self.broken.append(error)
            raise

    async def look(self, request: dict[str, Any]) -> None:
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


def ids_in(request: dict[str, Any]) -> Iterator[str]:
    """Values of `id` of the items that a write names."""
    parts = [part for action in request.get("TransactItems", []) for part in action.values()] or [request]
    for part in parts:
        key = part.get("Key") or part.get("Item") or {}
        if "id" in key:
            yield key["id"]["S"]
