"""Purchases on real tables with the stand-in for the payment gateway: what buyers, callbacks and sweeps do."""

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from callmissed.audit.events import Actor, ActorKind
from callmissed.aws.attributes import Item
from callmissed.aws.database import Database
from callmissed.aws.dynamodb import DynamoDB
from callmissed.clock import MINUTE, SECOND, Micros
from callmissed.http.client import SafeClient
from callmissed.ids import new_call_id, new_id
from callmissed.integrations.callbacks import StoredCallback
from callmissed.ledger.entries import Account, EntryType, LedgerEntry
from callmissed.ledger.holds import Ledger
from callmissed.ledger.queries import balance, newest_entries
from callmissed.ledger.reconcile import reconcile
from callmissed.money import CREDIT, MicroCredits, Paise
from callmissed.plans.plans import Plan
from callmissed.platform.tables import BILLING, OUTBOX
from callmissed.tenants.tenants import create_tenant
from functions.billing.composition import BillingComposition
from functions.billing.payments.cashfree import Cashfree, CashfreeAccount
from functions.billing.payments.gateway import GatewayPayment, PaymentStatus
from functions.billing.payments.records import Order, PaymentState, gateway_order
from functions.billing.payments.refund_records import Refund, refund_of
from functions.billing.payments.service import Buyer, Payments
from functions.billing.payments.sweep import OrderSweep, OrderSweepReport
from functions.billing.payments_composition import PaymentsComposition
from functions.billing.refunds.sweep import RefundSweepReport
from local.aws.tables import StageTables
from local.fakes.cashfree.fake import FakeCashfree
from tests.support.sign_in import settings_of

START = 1_795_600_000 * SECOND
OPERATOR = Actor(ActorKind.OPERATOR, "arn:aws:iam::1:user/ada", "203.0.113.8", reason="The buyer asked")
ACTOR = Actor(ActorKind.PERSON, "usr_1", "203.0.113.7", "a browser")


@dataclass
class Purchases:
    """One tenant that buys, at moments of the test's choice."""

    tables: StageTables
    dynamodb: DynamoDB
    cashfree: FakeCashfree
    timeout_seconds: float = 8.0
    now: int = START
    tenant: str = ""
    account: CashfreeAccount | None = field(init=False)

    def __post_init__(self) -> None:
        state = self.cashfree.state
        state.clock = lambda: self.now / SECOND
        self.account = CashfreeAccount(state.app_id, state.secret_key, "sandbox", self.cashfree.api_url)
        self.database = Database(self.dynamodb, self.tables.stage)
        self._client = SafeClient(allow_loopback=True)
        gateway = Cashfree(self._client, lambda: self.account, timeout_seconds=self.timeout_seconds)
        base = BillingComposition(settings_of(self.tables))
        base.__dict__["database"] = self.database  # in the place of the cached property
        self.composition = PaymentsComposition(base, lambda: Micros(self.now))
        self.composition.__dict__["gateway"] = gateway

    @property
    def payments(self) -> Payments:
        return self.composition.payments

    async def open(self, plan: Plan = Plan.PRO) -> "Purchases":
        """Create the tenant."""
        self.tenant = (await create_tenant(self.database, name="Tests", plan=plan, now=Micros(self.now))).tenant_id
        return self

    async def close(self) -> None:
        await self._client.close()

    def buyer(self, order_id: str = "") -> Buyer:
        return Buyer(self.tenant, "usr_1", ACTOR, order_id or new_order_id())

    async def buy(self, credits: int = 100, order_id: str = "") -> Order:
        """An order with its session."""
        return await self.payments.order_credits(self.buyer(order_id), credits)

    def pay(self, order: Order, action: str = "pay") -> list[Mapping[str, Any]]:
        """Let the buyer do something at the checkout of the latest attempt; returns the callbacks."""
        self.cashfree.act(order.gateway_order, action)
        return self.callbacks()

    def callbacks(self) -> list[Mapping[str, Any]]:
        """The callbacks that the gateway has sent since the last time."""
        return [json.loads(callback.body) for callback in self.cashfree.take()]

    async def receive(self, *callbacks: Any) -> list[str]:
        """Let the worker process callbacks in one batch; returns the ids of those that failed."""
        return await self.composition.worker.failures([await self.record(callback) for callback in callbacks])

    async def record(self, callback: Any) -> dict[str, Any]:
        """A message that names the stored callback."""
        text = callback if isinstance(callback, str) else json.dumps(callback)
        id, stored = new_id("evt"), StoredCallback(received="2026-11-28T00:00:00Z", headers={}, text=text)
        await self.database.put(OUTBOX, {"id": id, "body": stored.model_dump_json()})
        return {"messageId": id, "body": json.dumps({"detail": {"id": id}})}

    async def sweep(self, after_minutes: float = 0) -> OrderSweepReport:
        """Let time pass, and the sweep over orders run."""
        self.now += int(after_minutes * MINUTE)
        sweep = OrderSweep(self.composition.orders, self.payments, lambda: Micros(self.now))
        return await sweep.run(Micros(self.now))

    async def sweep_refunds(self, after_minutes: float = 0) -> RefundSweepReport:
        """Let time pass, and the sweep over refunds run."""
        self.now += int(after_minutes * MINUTE)
        return await self.composition.refund_sweep.run(Micros(self.now))

    async def paid_order(self, credits: int = 100) -> Order:
        """An order that was paid, of whose payment a callback has come."""
        order = await self.buy(credits)
        assert await self.receive(*self.pay(order)) == []
        return await self.find(order)

    async def refund(self, order: Order, amount: int | None = None, name: str = "one") -> Refund:
        """An operator pays back."""
        paise = None if amount is None else Paise(amount)
        refund, after = await self.composition.operator_refunds.refund(order.order_id, name, paise, OPERATOR)
        assert after.order_id == order.order_id
        return refund

    async def spend(self, credits: float) -> None:
        """One call that costs so much."""
        ledger, amount = Ledger(self.database), MicroCredits(int(credits * CREDIT))
        hold, _ = await ledger.hold(self.tenant, new_call_id(Micros(self.now), 1), "llm", amount)
        token, kind = (hold.amount, hold.attempt), EntryType.DEDUCTION
        debit, credit = Account.HELD, Account.REVENUE
        await ledger.settle(
            hold, LedgerEntry(self.tenant, hold.call_id, kind, amount, debit, credit, Micros(self.now), held=token)
        )

    async def refunds(self, order: Order) -> list[Refund]:
        """The order's refunds."""
        return [refund_of(item) for item in await self.items(order, "REFUND#")]

    async def sums(self, order: Order) -> tuple[str, int, int, float]:
        """State of an order, what goes back, what went back, and the credits that were taken."""
        after = await self.find(order)
        return str(after.status), after.refunded, after.paid_back, after.returned / CREDIT

    def paid_back(self, order: Order) -> float:
        """Rupees that the gateway has paid back for the order, in all attempts."""
        orders = self.cashfree.state.orders
        made = [orders[each] for each in order.gateway_orders if each in orders]
        return sum(refund.amount for each in made for refund in each.refunds.values() if refund.status == "SUCCESS")

    async def paid_plan(self, plan: Plan) -> Order:
        """An order of a plan that was paid."""
        order = await self.payments.order_plan(self.buyer(), plan)
        assert await self.receive(*self.pay(order)) == []
        return await self.find(order)

    async def plan(self) -> Plan:
        return (await self.composition.subscriptions.advance(self.tenant)).plan

    async def debt(self) -> float:
        return (await balance(self.database, self.tenant, Micros(self.now))).debt / CREDIT

    async def find(self, order: Order) -> Order:
        return await self.composition.orders.get(self.tenant, order.order_id)

    async def items(self, order: Order, prefix: str = "PAYMENT#") -> list[Item]:
        """The stored items of an order."""
        found = [item async for item in self.database.query(BILLING, order.order_id, consistent=True)]
        return [item for item in found if item["item"].startswith(prefix)]

    async def states(self, order: Order) -> list[str]:
        """What became of the order's payments."""
        return sorted(item["state"] for item in await self.items(order))

    async def credits(self) -> float:
        """Credits that the tenant may spend."""
        return (await balance(self.database, self.tenant, Micros(self.now))).available / CREDIT

    async def entries(self) -> list[LedgerEntry]:
        return await newest_entries(self.database, self.tenant, limit=100)

    async def events(self, kind: str = "payment.") -> list[Item]:
        """The tenant's events in the outbox."""
        found = [item async for item in self.database.scan(OUTBOX)]
        return [item for item in found if str(item.get("type", "")).startswith(kind)]

    async def check(self) -> None:
        """The ledger's equations hold."""
        assert (await reconcile(self.database, Micros(self.now))).drifts == []


def new_order_id() -> str:
    """Id of an order that does not exist."""
    return f"cm_{secrets.token_hex(8)}"


def paid(order: Order, payment_id: str = "5001", *, number: int = 0, **changes: Any) -> GatewayPayment:
    """A successful payment of the order's latest attempt, or of another."""
    values: dict[str, Any] = {
        "amount": order.amount,
        "currency": "INR",
        "status": PaymentStatus.SUCCEEDED,
        "method": "upi",
    } | changes
    return GatewayPayment(
        gateway_order=gateway_order(order.order_id, number or order.session.number), payment_id=payment_id, **values
    )


SETTLED, SURPLUS, MISMATCH, FAILED = map(str, PaymentState)
