"""Tenants whose plans change, on real tables: every process is a `PlanSubscriptions` over a client of its own."""

import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import cast

from callmissed.audit.events import Actor, ActorKind
from callmissed.aws.attributes import Item
from callmissed.aws.database import Database
from callmissed.aws.dynamodb import DynamoDB
from callmissed.clock import Micros
from callmissed.keys.rates import interval_of
from callmissed.ledger.entries import EntryType, LedgerEntry
from callmissed.ledger.queries import Balance, balance, newest_entries
from callmissed.ledger.shards import all_wallets
from callmissed.ledger.wallet import Wallet
from callmissed.plans.plans import Plan, limits
from callmissed.platform.tables import AUDIT, KEYS
from callmissed.tenants.tenants import get_tenant
from functions.billing.payments.gateway import GatewayPayment, PaymentGateway, PaymentSession, PaymentStatus
from functions.billing.payments.records import Order
from functions.billing.payments.repository import Orders
from functions.billing.payments.service import Buyer, Payments
from functions.billing.payments.settlement import OrderSettlement
from functions.billing.subscriptions.repository import SubscriptionRecords
from functions.billing.subscriptions.service import PlanSubscriptions
from functions.billing.subscriptions.sweep import SubscriptionSweep
from tests.support.faults import FaultyDynamoDB
from tests.support.keys.key_store import NOVEMBER, KeyStore

BUYER = Actor(ActorKind.PERSON, "usr_1")


class PlanClock:
    """A clock that stands until it is moved; a microsecond passes with each look."""

    def __init__(self) -> None:
        self.now = NOVEMBER

    def __call__(self) -> Micros:
        self.now = Micros(self.now + 1)
        return self.now


class SandboxSessions:
    """A payment gateway that opens a session for every order; tests say what was paid."""

    environment = "sandbox"

    async def create_order(self, gateway_order: str, *_: object, **__: object) -> PaymentSession:
        return PaymentSession(f"session_{gateway_order}", gateway_order)

    async def payments(self, _gateway_order: str) -> list[GatewayPayment]:
        return []


@dataclass(frozen=True, slots=True)
class Subscriber:
    """One tenant, and what every place says about its plan."""

    tenant: str
    key_store: KeyStore
    clock: PlanClock

    @property
    def database(self) -> Database:
        return Database(self.key_store.dynamodb, self.key_store.store.stage)

    @property
    def subscriptions(self) -> PlanSubscriptions:
        return self.subscriptions_on(self.key_store.dynamodb)

    def subscriptions_on(self, dynamodb: DynamoDB) -> PlanSubscriptions:
        """A process with this client."""
        return PlanSubscriptions(SubscriptionRecords(Database(dynamodb, self.key_store.store.stage)), self.clock)

    def faulty(self) -> FaultyDynamoDB:
        """A client whose requests go wrong on demand."""
        dynamodb = FaultyDynamoDB(self.key_store.store.endpoint)
        self.key_store.made.append(dynamodb)
        return dynamodb

    @property
    def orders(self) -> Orders:
        return Orders(self.database)

    async def order(self, plan: Plan) -> Order:
        """An order of the plan, with its session."""
        settlement = OrderSettlement(self.orders, self.subscriptions, self.clock)
        gateway = cast(PaymentGateway, SandboxSessions())
        payments = Payments(self.orders, gateway, settlement, self.subscriptions, self.clock)
        return await payments.order_plan(Buyer(self.tenant, "usr_1", BUYER, f"cm_{secrets.token_hex(8)}"), plan)

    async def pay(self, order: Order, payment_id: str = "", dynamodb: DynamoDB | None = None) -> Order:
        """Settle the order by a payment, in a process with the client."""
        client = dynamodb or self.key_store.dynamodb
        orders = Orders(Database(client, self.key_store.store.stage))
        payment = GatewayPayment(
            gateway_order=order.gateway_order,
            payment_id=payment_id or f"pay_{order.order_id}",
            status=PaymentStatus.SUCCEEDED,
            amount=order.amount,
            currency=order.currency,
        )
        return await OrderSettlement(orders, self.subscriptions_on(client), self.clock).apply(order, payment)

    async def buy(self, plan: Plan) -> Order:
        """Order the plan and pay it."""
        return await self.pay(await self.order(plan))

    async def wait(self, until: Micros) -> None:
        """Let time pass, and the sweep run."""
        self.clock.now = until
        await SubscriptionSweep(self.subscriptions, self.clock).run(until)

    async def wallets(self) -> list[Wallet]:
        """All wallets, whose equations hold."""
        wallets = await all_wallets(self.database, self.tenant)
        assert [wallet.imbalance for wallet in wallets] == [0] * len(wallets)
        return wallets

    async def money(self) -> Balance:
        await self.wallets()
        return await balance(self.database, self.tenant, self.clock.now)

    async def entries(self, kind: EntryType) -> list[LedgerEntry]:
        """The entries of a type, oldest first."""
        found = await newest_entries(self.database, self.tenant, limit=1000)
        return [entry for entry in reversed(found) if entry.type is kind]

    async def audited(self) -> list[Item]:
        """The audit events of the tenant's plan, oldest first."""
        events = self.database.query(AUDIT, self.tenant, consistent=True)
        return [event async for event in events if event["action"] == "plan.change"]

    async def assert_on(self, plan: Plan) -> None:
        """Assert that the plan is written everywhere, and nothing is under way."""
        subscription = await self.subscriptions.records.get(self.tenant)
        assert (subscription.plan, subscription.pending) == (plan, False)
        assert (await get_tenant(self.database, self.tenant, consistent=True)).plan is plan
        assert (await self.wallets())[0].plan == plan
        for key in await self.key_store.manager.keys_of(self.tenant):
            if not key.is_revoked:
                assert not key.rpm_from_plan or key.rpm == limits(plan).default_rpm
                for key_hash in key.hashes:
                    await self._assert_item_on(plan, key_hash, key.rpm)

    async def _assert_item_on(self, plan: Plan, key_hash: str, rpm: int) -> None:
        item = await self.database.get(KEYS, {"id": key_hash})
        assert (item["plan"], item["rpm"], item["iv"]) == (plan, rpm, interval_of(rpm))


NewSubscriber = Callable[[Plan], Awaitable[Subscriber]]
