"""Thresholds are published from the ledger's stream: once each, whatever is delivered twice, late or in between."""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import pytest
import pytest_asyncio

from callmissed.aws.attributes import Item, from_item, to_item
from callmissed.aws.batches import Change
from callmissed.aws.database import Database
from callmissed.aws.dynamodb import DynamoDB, Unavailable
from callmissed.aws.runtime import run
from callmissed.clock import MINUTE, Micros
from callmissed.ids import new_call_id
from callmissed.ledger.entries import Account, EntryType, LedgerEntry, to_record
from callmissed.ledger.grants import grant
from callmissed.ledger.holds import Hold, Ledger
from callmissed.money import CREDIT, MicroCredits
from callmissed.plans.plans import Plan
from callmissed.platform.tables import OUTBOX, WALLETS, physical_name
from callmissed.tenants.tenants import create_tenant
from functions.billing.composition import composed
from functions.billing.handlers import ledger_events
from functions.billing.handlers.ledger_events import notifier as process_notifier
from functions.billing.notifier import ThresholdNotifier
from local.aws.tables import StageTables
from tests.support.interleaving import InterleavingDynamoDB

NOVEMBER = Micros(1_794_787_200_000_000)
DECEMBER = Micros(NOVEMBER + 20 * 24 * 60 * MINUTE)
T = TypeVar("T")
_numbers = itertools.count(100_000)


def record(entry: Item, operation: str = "INSERT") -> Change:
    """An entry's record in the stream."""
    return Change(operation, from_item(to_item(entry)), str(next(_numbers)))


def streamed(change: Change) -> dict[str, Any]:
    """`change` as Lambda gets it: https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html."""
    image = to_item(change.item)
    change_image = {"Keys": {name: image[name] for name in ("tenant", "entry")}, "NewImage": image}
    change_image |= {"SequenceNumber": change.number, "StreamViewType": "NEW_IMAGE"}
    return {
        "eventID": change.number,
        "eventName": change.operation,
        "eventSource": "aws:dynamodb",
        "dynamodb": change_image,
    }


@dataclass(frozen=True, slots=True)
class NotifiedTenants:
    """Tenants of one stage who spend, and the events that they get."""

    dynamodb: DynamoDB
    stage: str

    async def tenant(self, plan: Plan = Plan.PRO, *, credits: int = 10_000, budget: int | None = None) -> str:
        tenant = (
            await create_tenant(Database(self.dynamodb, self.stage), name="tests", plan=plan, now=NOVEMBER)
        ).tenant_id
        await self.top_up(tenant, credits, "start")
        if budget is not None:
            await self.give_budget(tenant, budget)
        return tenant

    async def top_up(self, tenant: str, credits: int, name: str) -> None:
        amount = credits * CREDIT
        await grant(
            Database(self.dynamodb, self.stage),
            tenant=tenant,
            amount=MicroCredits(amount),
            operation_id=name,
            now=NOVEMBER,
        )

    async def give_budget(self, tenant: str, credits: int, spent: int = 0) -> None:
        request = {
            "TableName": physical_name(self.stage, WALLETS),
            "Key": to_item({"id": tenant}),
            "UpdateExpression": "SET bud = :bud, bl = :left",
            "ExpressionAttributeValues": to_item({":bud": credits * CREDIT, ":left": (credits - spent) * CREDIT}),
        }
        await self.dynamodb.call("UpdateItem", request)

    async def hold(self, tenant: str, credits: int, now: int = NOVEMBER, shards: int = 1) -> tuple[Hold, LedgerEntry]:
        """A call on its way, and the entry that will settle it."""
        ledger, call = Ledger(Database(self.dynamodb, self.stage)), new_call_id(Micros(now), 20)
        hold, _ = await ledger.hold(tenant, call, "llm", MicroCredits(credits * CREDIT), shards=shards)
        moved = (EntryType.DEDUCTION, hold.amount, Account.HELD, Account.REVENUE)
        return hold, LedgerEntry(tenant, call, *moved, Micros(now), held=(hold.amount, hold.attempt))

    async def spend(self, tenant: str, credits: int, now: int = NOVEMBER, shards: int = 1) -> Change:
        """A settled call's record."""
        hold, entry = await self.hold(tenant, credits, now, shards)
        await Ledger(Database(self.dynamodb, self.stage)).settle(hold, entry)
        return record(to_record(entry))

    def notifier(self, dynamodb: DynamoDB | None = None, low_credits: int = 50) -> ThresholdNotifier:
        """A process that remembers nothing yet."""
        return ThresholdNotifier(Database(dynamodb or self.dynamodb, self.stage), low_credits, lambda: NOVEMBER)

    async def published(self, tenant: str) -> list[str]:
        """What the outbox has for the tenant."""
        return sorted(_summary(json.loads(item["body"])) for item in await self.outbox() if item["tenant"] == tenant)

    async def outbox(self) -> list[Item]:
        request = {"TableName": physical_name(self.stage, OUTBOX), "ConsistentRead": True}
        return [from_item(item) for item in (await self.dynamodb.call("Scan", request))["Items"]]


def _summary(body: dict[str, Any]) -> str:
    parts = (body["event"], body["data"].get("threshold_percent"), body["data"].get("period"))
    return " ".join(str(part) for part in parts if part)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def tenants(module_tables: StageTables) -> AsyncIterator[NotifiedTenants]:
    dynamodb = DynamoDB("us-east-1", module_tables.endpoint, timeout_seconds=30.0)
    yield NotifiedTenants(dynamodb, module_tables.stage)
    await dynamodb.close()


@pytest_asyncio.fixture(loop_scope="session")
async def interleaved(module_tables: StageTables) -> AsyncIterator[InterleavingDynamoDB]:
    interleaved = InterleavingDynamoDB(module_tables.endpoint)
    yield interleaved
    await interleaved.close()


async def test_thresholds_are_published_as_they_are_passed(tenants: NotifiedTenants) -> None:
    tenant, notifier = await tenants.tenant(budget=1000), tenants.notifier()

    for credits, expected in ((799, 0), (1, 1), (149, 1), (1, 2), (40, 2), (1, 3), (9, 3)):
        assert await notifier.notify([await tenants.spend(tenant, credits)]) is None
        assert len(await tenants.published(tenant)) == expected
    assert await tenants.published(tenant) == [
        "budget.alert 80 2026-11",
        "budget.alert 95 2026-11",
        "budget.exceeded 2026-11",
    ]


async def test_a_new_month_and_a_new_budget_are_published_anew(tenants: NotifiedTenants) -> None:
    tenant = await tenants.tenant(budget=1000)
    await tenants.notifier().notify([await tenants.spend(tenant, 800)])
    await tenants.give_budget(tenant, 900, spent=800)
    await tenants.notifier().notify([await tenants.spend(tenant, 1)])
    assert await tenants.published(tenant) == ["budget.alert 80 2026-11"] * 2

    await tenants.notifier().notify([await tenants.spend(tenant, 1, DECEMBER)])
    await tenants.notifier().notify([await tenants.spend(tenant, 799, DECEMBER)])

    assert await tenants.published(tenant) == ["budget.alert 80 2026-11"] * 2 + ["budget.alert 80 2026-12"]


async def test_few_credits_are_published_once_after_each_top_up(tenants: NotifiedTenants) -> None:
    tenant, notifier = await tenants.tenant(credits=100), tenants.notifier()

    for credits in (50, 1, 1, 1):
        await notifier.notify([await tenants.spend(tenant, credits)])
    assert await tenants.published(tenant) == ["credits.low"]

    await tenants.top_up(tenant, 10, "second")
    await notifier.notify([await tenants.spend(tenant, 1)])
    assert await tenants.published(tenant) == ["credits.low"]
    await notifier.notify([await tenants.spend(tenant, 20)])
    assert await tenants.published(tenant) == ["credits.low"] * 2


async def test_the_threshold_is_the_operators(tenants: NotifiedTenants) -> None:
    tenant = await tenants.tenant(credits=100)

    await tenants.notifier(low_credits=99).notify([await tenants.spend(tenant, 2)])

    assert await tenants.published(tenant) == ["credits.low"]


async def test_what_is_delivered_again_or_at_once_is_published_once(tenants: NotifiedTenants) -> None:
    tenant = await tenants.tenant(credits=1010, budget=1000)
    batch = [await tenants.spend(tenant, 240) for _ in range(4)]
    last = [await tenants.spend(tenant, 31)]

    again = [tenants.notifier().notify(part) for part in (batch, last, batch[:1], batch + last, last, batch) * 2]
    assert await asyncio.gather(*again) == [None] * 12

    assert len(await tenants.published(tenant)) == len(set(await tenants.published(tenant))) == 4


async def test_an_entry_whose_wallet_lags_counts(tenants: NotifiedTenants) -> None:
    tenant = await tenants.tenant(budget=1000)
    (_, entry), _ = await tenants.hold(tenant, 800), await tenants.hold(tenant, 190)

    await tenants.notifier().notify([record(to_record(entry))])

    assert await tenants.published(tenant) == ["budget.alert 80 2026-11"]


async def test_calls_in_flight_are_not_spent(tenants: NotifiedTenants) -> None:
    tenant = await tenants.tenant(credits=1000, budget=1000)
    await tenants.hold(tenant, 990)

    await tenants.notifier().notify([await tenants.spend(tenant, 1)])

    assert await tenants.published(tenant) == []


async def test_without_a_budget_there_are_no_budget_events(tenants: NotifiedTenants) -> None:
    tenant = await tenants.tenant(credits=1000)

    await tenants.notifier().notify([await tenants.spend(tenant, 999)])

    assert await tenants.published(tenant) == ["credits.low"]


@pytest.mark.parametrize(
    "change",
    [{"sandbox": True, "amount": 0}, {"amount": 0}, {"type": "void", "amount": 0}, {"type": "purchase"}],
    ids=["sandbox", "free", "void", "purchase"],
)
async def test_what_moves_no_money_is_not_looked_at(
    tenants: NotifiedTenants, interleaved: InterleavingDynamoDB, change: dict[str, Any]
) -> None:
    tenant = await tenants.tenant(credits=10, budget=10)
    _, entry = await tenants.hold(tenant, 10)

    assert await tenants.notifier(interleaved).notify([record(to_record(entry) | change)]) is None
    assert (await tenants.published(tenant), not interleaved.sent) == ([], True)

    assert await tenants.notifier(interleaved).notify([record(to_record(entry))]) is None
    assert (await tenants.published(tenant))[-1] == "credits.low"
    assert interleaved.sent["BatchGetItem"] == 1


async def test_only_new_entries_are_looked_at(tenants: NotifiedTenants, interleaved: InterleavingDynamoDB) -> None:
    _, entry = await tenants.hold(await tenants.tenant(), 10)

    await tenants.notifier(interleaved).notify([record(to_record(entry), name) for name in ("MODIFY", "REMOVE")])
    assert not interleaved.sent

    await tenants.notifier(interleaved).notify([record(to_record(entry), "INSERT")])
    assert interleaved.sent == {"BatchGetItem": 1}


async def test_a_wallet_is_read_once_a_batch_and_an_event_written_once_a_process(
    tenants: NotifiedTenants, interleaved: InterleavingDynamoDB
) -> None:
    tenant, other = await tenants.tenant(budget=100), await tenants.tenant()
    batch = [await tenants.spend(tenant, 20) for _ in range(4)] + [await tenants.spend(other, 1)]
    notifier = tenants.notifier(interleaved)

    for _ in range(3):
        await notifier.notify(batch)

    assert interleaved.sent == {"BatchGetItem": 6, "PutItem": 1}


async def test_a_tenant_without_a_wallet_does_not_hold_up_the_stream(tenants: NotifiedTenants) -> None:
    _, entry = await tenants.hold(await tenants.tenant(), 10)

    assert await tenants.notifier().notify([record(to_record(entry) | {"tenant": "tnt_gone"})]) is None


async def test_all_shards_are_one_budget(tenants: NotifiedTenants, interleaved: InterleavingDynamoDB) -> None:
    tenant = await tenants.tenant(Plan.ENTERPRISE, budget=1000)
    batch = [await tenants.spend(tenant, 100, shards=8) for _ in range(7)]
    await tenants.notifier(interleaved).notify(batch)
    assert await tenants.published(tenant) == []
    assert interleaved.sent["BatchGetItem"] == 3

    await tenants.notifier().notify([await tenants.spend(tenant, 100, shards=8)])

    assert await tenants.published(tenant) == ["budget.alert 80 2026-11"]


async def test_a_tenant_with_one_of_its_shards_is_notified_too(tenants: NotifiedTenants) -> None:
    tenant = await tenants.tenant(Plan.ENTERPRISE, budget=1000)

    await tenants.notifier().notify([await tenants.spend(tenant, 800)])

    assert await tenants.published(tenant) == ["budget.alert 80 2026-11"]


async def test_shards_that_level_while_they_are_read_make_no_events_of_their_own(tenants: NotifiedTenants) -> None:
    tenant = await tenants.tenant(Plan.ENTERPRISE, credits=2000, budget=1000)
    batch = [await tenants.spend(tenant, 100, shards=8) for _ in range(8)]

    async def reading() -> None:
        for _ in range(15):
            failed = await tenants.notifier().notify(batch)
            assert failed in (None, batch[0])

    async def levelling() -> None:
        for _ in range(10):
            hold, _ = await tenants.hold(tenant, 150, shards=8)
            await Ledger(Database(tenants.dynamodb, tenants.stage)).release(hold)

    await asyncio.gather(reading(), levelling())

    assert await tenants.published(tenant) == ["budget.alert 80 2026-11"]


class UnavailableTenantDynamoDB(DynamoDB):
    """Does not answer questions about one tenant."""

    def __init__(self, endpoint: str, tenant: str) -> None:
        super().__init__("us-east-1", endpoint, timeout_seconds=30.0, attempts=1)
        self.tenant = tenant

    async def send(self, operation: str, payload: bytes) -> dict[str, Any]:
        if self.tenant.encode() in payload:
            raise Unavailable("throttled", indeterminate=False)
        return await super().send(operation, payload)


async def test_what_fails_is_delivered_again_from_its_first_record_on(
    tenants: NotifiedTenants, module_tables: StageTables
) -> None:
    first, ill, last = [await tenants.tenant(budget=100) for _ in range(3)]
    calls = [(first, 40), (first, 40), (ill, 40), (last, 40), (ill, 40), (first, 20), (last, 40)]
    batch = [await tenants.spend(tenant, credits) for tenant, credits in calls]
    unwell = UnavailableTenantDynamoDB(module_tables.endpoint, ill)

    failed = await tenants.notifier(unwell).notify(batch)
    await unwell.close()

    assert failed == batch[2]
    assert len(await tenants.published(first)) == 3
    assert await tenants.notifier().notify(batch[2:]) is None
    for tenant, events_published in ((first, 3), (ill, 1), (last, 1)):
        assert len(await tenants.published(tenant)) == events_published


@pytest.fixture
def handled(module_tables: StageTables, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Any]]:
    """The handler in the environment of the tenants' stage."""
    monkeypatch.setenv("CALLMISSED_STAGE", module_tables.stage)
    monkeypatch.setenv("CALLMISSED_DYNAMODB_ENDPOINT", module_tables.endpoint)
    yield lambda entries: ledger_events.handler({"Records": [streamed(entry) for entry in entries]}, None)
    run(composed().database.close())
    composed.cache_clear()
    process_notifier.cache_clear()


def run_with_tenants(store: StageTables, work: Callable[[NotifiedTenants], Awaitable[T]]) -> T:
    """Result of `work` on a loop of its own, as the handler has one."""

    async def do() -> T:
        dynamodb = DynamoDB("us-east-1", store.endpoint, timeout_seconds=30.0)
        try:
            return await work(NotifiedTenants(dynamodb, store.stage))
        finally:
            await dynamodb.close()

    return asyncio.run(do())


async def one_call(tenants: NotifiedTenants) -> tuple[str, Change]:
    """A tenant that has spent its budget with one call, and the call's entry."""
    tenant = await tenants.tenant(budget=10)
    return tenant, await tenants.spend(tenant, 10)


def test_the_handler_answers_as_streams_want_it(
    handled: Callable[..., Any], module_tables: StageTables, monkeypatch: pytest.MonkeyPatch
) -> None:
    tenant, call = run_with_tenants(module_tables, one_call)
    assert handled([call]) == {"batchItemFailures": []}
    assert handled([]) == {"batchItemFailures": []}
    assert run_with_tenants(module_tables, lambda tenants: tenants.published(tenant)) == [
        "budget.alert 80 2026-11",
        "budget.alert 95 2026-11",
        "budget.exceeded 2026-11",
    ]
    send = DynamoDB.send

    async def unwell(self: DynamoDB, operation: str, payload: bytes) -> dict[str, Any]:
        if operation == "BatchGetItem":
            raise Unavailable("throttled", indeterminate=False)
        return await send(self, operation, payload)

    monkeypatch.setattr(DynamoDB, "send", unwell)
    failed = handled([call])

    assert failed == {"batchItemFailures": [{"itemIdentifier": call.number}]}
