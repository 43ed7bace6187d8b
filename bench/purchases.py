"""`make cost`, the fifth part: USD per million of what purchases, refunds and the turn of the month take.

Each is made of the real functions on DynamoDB Local and the stand-in for Cashfree, and its round trips and units are
counted. How long Lambda is busy, and what goes through queues and the bus, are in `bench/prices.toml`.
"""

import asyncio
import json
import os
import tomllib
from collections.abc import Mapping, Sequence
from typing import Any

from bench import standing
from bench.cost import DOCUMENT, PRICES, Meter, Prices, between_markers, markdown_table
from bench.ours import REGION
from bench.steps import CountedStep, Step, cost_per_million, fresh_tables, render
from callmissed.aws.dynamodb import DynamoDB
from callmissed.clock import Micros, seconds_to_next_month, system_clock
from callmissed.ledger.history.transactions import TransactionFilter, transactions
from callmissed.ledger.months import turn_month
from callmissed.plans.plans import Plan
from callmissed.platform.functions import CALLBACKS_API
from callmissed.platform.functions.billing import (
    BILLING_API,
    MONTH_TURN,
    ORDER_SWEEP,
    PAYMENT_WORKER,
    SUBSCRIPTION_SWEEP,
)
from functions.billing.payments.records import Order
from functions.webhooks.callbacks.cashfree import SECRET
from local.aws.tables import StageTables
from local.fakes.cashfree.fake import FakeCashfree
from tests.support.billing.purchases import Purchases
from tests.support.webhooks.callbacks import CASHFREE, CASHFREE_SECRET, CallbacksApi

STEPS = (
    Step("order of credits", "order", BILLING_API, requested=True),
    Step("callback, verified and stored", "callback", CALLBACKS_API, requested=True),
    Step("settlement of credits", "settlement", PAYMENT_WORKER),
    Step("look at a paid order, by the browser", "verify", BILLING_API, requested=True),
    Step("look at a paid order, a day later", "look", ORDER_SWEEP),
    Step("order of a plan", "plan_order", BILLING_API, requested=True),
    Step("settlement of a plan, with its change", "plan_settlement", PAYMENT_WORKER),
    Step("end of a period, and of grace", "period", SUBSCRIPTION_SWEEP),
    Step("refund by an operator", "refund", BILLING_API, requested=True),
    Step("page of 20 transactions", "transactions", BILLING_API, requested=True),
    Step("turn of the month, a wallet", "month", MONTH_TURN),
)
PAYMENT = ("order", "callback", "settlement", "verify", "look")
"""The steps of one payment of credits."""

_TENANTS = 100_000
_WALLETS = 20


class _Counted:
    """One tenant that buys, whose steps are counted."""

    def __init__(self, tables: StageTables, cashfree: FakeCashfree) -> None:
        self.meter = Meter()
        self.dynamodb = DynamoDB(REGION, tables.endpoint, timeout_seconds=20, observe=self.meter.count)
        self.purchases = Purchases(tables, self.dynamodb, cashfree)
        self.steps: dict[str, CountedStep] = {}
        self._callbacks = CallbacksApi(self.dynamodb, tables.stage)

    def taken(self, name: str) -> None:
        """Keep what was counted since the last `restart` as the step `name`."""
        step = next(step for step in STEPS if step.name == name)
        self.steps[name] = CountedStep(step, self.meter.round_trips, self.meter.write_units, self.meter.read_units)
        self.meter.reset()

    async def paid(self, order: Order, callback: str, settlement: str) -> None:
        """Let the order be paid; its callback is stored, and the worker settles it."""
        self.purchases.cashfree.act(order.gateway_order, "pay")
        (sent,) = self.purchases.cashfree.take()
        self._callbacks.now = system_clock()
        before = {item["id"] for item in await self._callbacks.outbox()}
        self.meter.reset()
        answer = await self._callbacks.post(CASHFREE, sent.body, sent.headers)
        self.taken(callback)
        (stored,) = [item["id"] for item in await self._callbacks.outbox() if item["id"] not in before]
        message = {"messageId": stored, "body": json.dumps({"detail": {"id": stored}})}
        self.meter.reset()
        failed = await self.purchases.composition.worker.failures([message])
        self.taken(settlement)
        if answer.status != 200 or failed:
            raise RuntimeError(f"{settlement}: the callback was answered with {answer.status}")

    async def close(self) -> None:
        await self.purchases.close()
        await self.dynamodb.close()


async def count_all(tables: StageTables) -> list[CountedStep]:
    """What each step takes, on `tables`, which are empty."""
    with FakeCashfree(secret_key=CASHFREE_SECRET).serving() as cashfree:
        counted = _Counted(tables, cashfree)
        try:
            await counted.purchases.open(Plan.FREE)
            await _buys_credits(counted)
            await _buys_a_plan(counted)
            await _turns_a_month(counted)
            return [counted.steps[step.name] for step in STEPS]
        finally:
            await counted.close()


async def _buys_credits(counted: _Counted) -> None:
    purchases = counted.purchases
    counted.meter.reset()
    order = await purchases.buy(100)
    counted.taken("order")
    await counted.paid(order, "callback", "settlement")
    await purchases.payments.verify(purchases.tenant, order.order_id)
    counted.taken("verify")
    await purchases.sweep(after_minutes=24 * 60 + 30)
    counted.taken("look")
    await purchases.refund(order, order.amount // 2)
    counted.taken("refund")
    purchases.cashfree.take()  # the refund's callback


async def _buys_a_plan(counted: _Counted) -> None:
    purchases = counted.purchases
    now = Micros(purchases.now)
    counted.meter.reset()
    await transactions(purchases.database, purchases.tenant, TransactionFilter(), now, limit=20)
    counted.taken("transactions")
    order = await purchases.payments.order_plan(purchases.buyer(), Plan.PRO)
    counted.taken("plan_order")
    await counted.paid(order, "callback", "plan_settlement")
    purchases.now += 40 * 24 * 3_600_000_000
    counted.meter.reset()
    await purchases.composition.subscriptions.advance(purchases.tenant)
    counted.taken("period")


async def _turns_a_month(counted: _Counted) -> None:
    """The turn of many wallets, as the scan reads several with one unit."""
    purchases = counted.purchases
    for _ in range(_WALLETS):
        await purchases.open(Plan.STARTER)
    now = Micros(purchases.now + seconds_to_next_month(Micros(purchases.now)) * 1_000_000 + 1)
    counted.meter.reset()
    report = await turn_month(purchases.database, now, clock=lambda: now, deadline=Micros(now + 1))
    counted.taken("month")
    counted.steps["month"] = counted.steps["month"].shared(report.behind)


def rendered(counted: Sequence[CountedStep]) -> str:
    """Both tables, by the price file: a million of each step, and what one payment and one month's turn cost."""
    table = tomllib.loads(PRICES.read_text())
    regions = {name: Prices(**row) for name, row in table["regions"].items()}
    return render(counted, regions, table["purchases"]) + "\n\n" + _summed(counted, table, regions)


def _summed(counted: Sequence[CountedStep], table: Mapping[str, Any], regions: Mapping[str, Prices]) -> str:
    """USD of one payment with its firewall, logs and traces, and of one turn for many tenants."""
    steps = {each.step.name: each for each in counted}
    rows = [["", *(f"**{region} $**" for region in regions)]]
    payments, turns = list[str](), list[str]()
    for name, prices in standing.regions(table).items():
        bill = {each: sum(cost_per_million(step, regions[name], table["purchases"])) for each, step in steps.items()}
        requests = sum(steps[each].step.requested for each in PAYMENT)
        every = standing.total(standing.per_million(standing.WITH_FIREWALL, prices))
        payments.append(f"{(sum(bill[each] for each in PAYMENT) + requests * every) / 1_000_000:.6f}")
        turns.append(f"{bill['month'] * _TENANTS / 1_000_000:.2f}")
    return markdown_table([*rows, ["one payment of credits", *payments], ["turn of 100,000 paid wallets", *turns]])


def main() -> None:
    """Count, print, and put the tables into docs/cost.md."""
    os.environ[SECRET] = CASHFREE_SECRET
    with fresh_tables("purchases") as tables:
        counted = asyncio.run(count_all(tables))
    tables_of_costs = rendered(counted)
    DOCUMENT.write_text(between_markers(DOCUMENT.read_text(), tables_of_costs, "purchases"))
    print(tables_of_costs)


if __name__ == "__main__":
    main()
