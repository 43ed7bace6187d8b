"""The product as the year uses it: its services and schedules, any of which may fail and is then repeated."""

import random
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import TypeVar

from callmissed.aws.database import Database
from callmissed.aws.dynamodb import DynamoDB, DynamoError
from callmissed.clock import MINUTE, Micros, iso
from callmissed.errors import ApiError
from callmissed.keys.budgets import KeyBudgets
from callmissed.keys.management import KeyManager
from callmissed.ledger.holds import Ledger
from callmissed.ledger.months import turn_month
from callmissed.ledger.reconcile import ReconcileReport, reconcile
from callmissed.ledger.sweep import sweep
from functions.billing.coupons.service import Coupons
from functions.billing.subscriptions.sweep import SubscriptionSweep
from local.aws.tables import StageTables
from local.fakes.cashfree.fake import FakeCashfree
from tests.support.billing.purchases import Purchases
from tests.support.faults import Crash, Fault, FaultyDynamoDB

T = TypeVar("T")

PEPPER = b"a pepper of a simulated year"
_FAULTS = tuple(Fault)
_GATEWAY_FAULTS = ("down", "lost", "garbled")
_MAX_DEPTH = 14
"""Requests of a step after which no fault comes."""


class RedeliveryError(Exception):
    """A callback was not processed, so it comes again."""


class CompressedProduct:
    """The billing of one stage on a clock that its driver moves. `draw` draws the faults."""

    def __init__(self, tables: StageTables, cashfree: FakeCashfree, draw: random.Random, faulty: float) -> None:
        self.cashfree = cashfree
        self.dynamodb = FaultyDynamoDB(tables.endpoint)
        self.purchases = Purchases(tables, self.dynamodb, cashfree)
        self.plain = Database(DynamoDB("us-east-1", tables.endpoint, timeout_seconds=30.0), tables.stage)
        self.ledger = Ledger(self.purchases.database)
        self.coupons = Coupons(self.purchases.composition.orders)
        self.keys = KeyManager(self.purchases.database, PEPPER)
        self.subscriptions = self.purchases.composition.subscriptions
        self.broken: Counter[str] = Counter()
        self._draw = draw
        self._faulty = faulty

    @property
    def now(self) -> Micros:
        """The moment."""
        return Micros(self.purchases.now)

    @property
    def date(self) -> str:
        """The moment as people read it."""
        return iso(self.now)

    async def move_to(self, moment: int) -> None:
        """Let time pass; requests whose answers were lost arrive."""
        self.purchases.now = max(self.purchases.now, moment)
        while self.dynamodb.late:
            await self.dynamodb.deliver_late(0)

    async def attempt(self, work: Callable[[], Awaitable[T]], *, gateway: bool = True) -> T:
        """Do the work. Now and then something goes wrong on the way, and it is done again."""
        if self._draw.random() >= self._faulty:
            return await work()
        self._break(gateway=gateway)
        try:
            return await work()
        except (Crash, DynamoError, ApiError, RedeliveryError) as failure:
            self.broken[type(failure).__name__] += 1
        finally:
            self.dynamodb.faults.clear()
            self.cashfree.state.faults.clear()
        return await work()

    async def deliver(self, *callbacks: object) -> None:
        """Let the worker process callbacks, one after the other."""

        async def process(callback: object) -> None:
            if await self.purchases.receive(callback):
                raise RedeliveryError

        for callback in callbacks:
            await self.attempt(lambda one=callback: process(one))

    async def sweep_orders(self) -> None:
        """The schedule `order-sweep`, which looks after refunds too."""
        await self.attempt(self.purchases.sweep, gateway=False)
        await self.attempt(self.purchases.sweep_refunds, gateway=False)

    async def sweep_subscriptions(self) -> None:
        """The schedule `subscription-sweep`."""
        await self.attempt(self._sweep_subscriptions)

    async def sweep_holds(self) -> None:
        """The schedule `hold-sweep`."""
        await self.attempt(lambda: sweep(self.purchases.database, self.now, KeyBudgets))

    async def turn_month(self) -> None:
        """The schedule `month-turn`."""
        await self.attempt(self._turn_month)

    async def reconcile(self) -> ReconcileReport:
        """The schedule `ledger-reconcile`."""
        return await reconcile(self.plain, self.now)

    async def close(self) -> None:
        """Close connections."""
        await self.purchases.close()
        await self.dynamodb.close()
        await self.plain.close()

    async def _sweep_subscriptions(self) -> None:
        swept = await SubscriptionSweep(self.subscriptions, lambda: self.now).run(self.now)
        if swept.failed:
            raise RedeliveryError

    async def _turn_month(self) -> None:
        deadline = Micros(self.now + MINUTE)
        await turn_month(self.purchases.database, self.now, clock=lambda: self.now, deadline=deadline, at_once=1)

    def _break(self, *, gateway: bool) -> None:
        if gateway and self._draw.random() < 0.2:
            self.cashfree.fault(self._draw.choice(_GATEWAY_FAULTS))
        depth = self._draw.randrange(_MAX_DEPTH)
        self.dynamodb.faults.extend([*[None] * depth, *self._draw.choices(_FAULTS, k=self._draw.randint(1, 2))])
