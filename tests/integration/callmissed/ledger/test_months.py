"""Months that turn with a tenant's first call or by the schedule: once, and with the free plan's credits once."""

import asyncio
from datetime import UTC, datetime

import pytest

from callmissed.aws.attributes import Item
from callmissed.aws.database import Database
from callmissed.aws.dynamodb import TransactionCanceled, Unavailable
from callmissed.clock import SECOND, Micros
from callmissed.errors import ApiError
from callmissed.ledger.entries import EntryType, LedgerEntry
from callmissed.ledger.grants import grant
from callmissed.ledger.months import turn_month
from callmissed.ledger.queries import newest_entries
from callmissed.ledger.reconcile import reconcile
from callmissed.ledger.records import start_month, wallet_of
from callmissed.ledger.shards import change_plan
from callmissed.money import CREDIT, MicroCredits
from callmissed.plans.plans import Plan
from tests.support.faults import Fault, FaultyDynamoDB
from tests.support.tenant_wallets import NOVEMBER, MakeWallets, TenantWallets

DECEMBER = Micros(int(datetime(2026, 12, 1, tzinfo=UTC).timestamp()) * SECOND)
JANUARY = Micros(int(datetime(2027, 1, 1, 0, 0, 1, tzinfo=UTC).timestamp()) * SECOND)
FREE = 100 * CREDIT


async def granted(database: Database, wallets: TenantWallets) -> list[LedgerEntry]:
    found = await newest_entries(database, wallets.tenant, limit=100)
    return [entry for entry in found if entry.type is EntryType.PLAN_GRANT]


async def run(database: Database, now: Micros = DECEMBER) -> tuple[int, int, bool]:
    report = await turn_month(database, now, clock=lambda: now, deadline=Micros(now + 1))
    return report.behind, report.drained, report.finished


async def turn(database: Database, wallet: Item, month: int = 202612) -> None:
    await start_month(database, wallet_of(wallet), month)


async def test_a_free_tenant_gets_its_credits_with_the_first_call_of_each_month(
    database: Database, wallets: TenantWallets
) -> None:
    await wallets.open("free")
    with pytest.raises(ApiError, match="Add credits"):
        await wallets.hold(1)

    for month, now in (("2026-12", DECEMBER), ("2027-01", JANUARY)):
        for _ in range(2):
            await wallets.hold(1, now=now)
        newest = (await granted(database, wallets))[0]
        assert (newest.amount, newest.description) == (FREE, f"Free credits of {month}")

    assert [entry.created for entry in await granted(database, wallets)] == [Micros(JANUARY - SECOND), DECEMBER]
    assert (await wallets.wallet())["gr"] == 2 * FREE
    assert (await reconcile(database, JANUARY)).drifts == []


async def test_many_first_calls_at_once_bring_one_grant(database: Database, wallets: TenantWallets) -> None:
    await wallets.open("free")

    await asyncio.gather(*(wallets.hold(5, now=DECEMBER) for _ in range(8)), run(database))

    assert len(await granted(database, wallets)) == 1
    assert (await wallets.wallet())["gr"] == FREE


@pytest.mark.parametrize("fault", [Fault.LOSE_ANSWER, Fault.DELAY, Fault.CONFLICT, Fault.THROTTLE])
async def test_a_turn_whose_request_fails_grants_once(
    database: Database, faulty: FaultyDynamoDB, wallets: TenantWallets, fault: Fault
) -> None:
    await wallets.open("free")
    before = await wallets.wallet()
    faulty.faults.append(fault)
    await turn(database, before)
    while faulty.late:
        await faulty.deliver_late(0)
    await turn(database, before)

    assert len(await granted(database, wallets)) == 1
    assert (await wallets.wallet())["gr"] == FREE


async def test_free_credits_pay_a_debt_first(database: Database, wallets: TenantWallets) -> None:
    await wallets.open("free", av=-30 * CREDIT, rt=30 * CREDIT)

    await wallets.hold(70 * CREDIT, now=DECEMBER)

    with pytest.raises(ApiError, match="Add credits"):
        await wallets.hold(1, now=DECEMBER)


async def test_a_month_whose_grant_is_entered_begins_without_one(database: Database, wallets: TenantWallets) -> None:
    await wallets.open("free")
    before = await wallets.wallet()
    await turn(database, before)
    await wallets.open("free", av=5, gr=5)  # restored to a moment before

    await wallets.hold(5, now=DECEMBER)

    assert (await wallets.wallet())["gr"] == 5


async def test_a_suspended_tenant_gets_nothing(database: Database, wallets: TenantWallets) -> None:
    await wallets.open("free", st="suspended")  # type: ignore[arg-type]

    with pytest.raises(ApiError, match="not active"):
        await wallets.hold(1, now=DECEMBER)

    assert (await wallets.wallet())["mon"] == 202611
    assert await granted(database, wallets) == []


async def test_a_plan_that_changes_amid_the_turn_has_its_own_counters(
    database: Database, faulty: FaultyDynamoDB, wallets: TenantWallets
) -> None:
    await wallets.open("pro", av=1000, gr=1000)
    before = await wallets.wallet()
    await change_plan(database, wallets.tenant, Plan.STARTER, NOVEMBER)

    await turn(database, before)

    assert (await wallets.wallet())["mon"] == 202611
    await wallets.hold(1, now=DECEMBER)
    assert (await wallets.wallet())["q_llm"] == 4_999


async def test_an_upgrade_turns_the_month_without_the_free_credits(database: Database, wallets: TenantWallets) -> None:
    await wallets.open("free")

    await change_plan(database, wallets.tenant, Plan.PRO, DECEMBER)

    assert ((await wallets.wallet())["mon"], await granted(database, wallets)) == (202612, [])


async def test_the_schedule_turns_every_paid_wallet_once_and_no_free_one(
    database: Database, make_wallets: MakeWallets
) -> None:
    paid = [make_wallets() for _ in range(20)]
    for number, each in enumerate(paid):
        await each.open(("starter", "pro")[number % 2], av=7, gr=10, sp=3, bl=2, bud=5, q_llm=4)
    large, free = make_wallets(2), make_wallets()
    for shard in range(2):
        await large.open("enterprise", shard=shard, sp=3, gr=3, bl=2, bud=5)
    await free.open("free")

    assert [await run(database) for _ in range(2)] == [(22, 0, True), (0, 0, True)]

    for wallet in [*[await each.wallet() for each in paid], *[await large.wallet(shard) for shard in range(2)]]:
        assert (wallet["mon"], wallet["sp"], wallet["spt"], wallet["bl"], wallet["gr"] - wallet["av"]) == (
            202612,
            0,
            3,
            5,
            3,
        )
    assert {(await each.wallet())["q_llm"] for each in paid} == {5_000, 50_000}
    assert (await free.wallet())["mon"] == 202611


async def test_the_schedule_stops_in_time_and_goes_on_later(database: Database, make_wallets: MakeWallets) -> None:
    for _ in range(40):
        await make_wallets().open("pro")
    ticks = iter(range(100))
    report = await turn_month(database, DECEMBER, clock=lambda: Micros(next(ticks)), deadline=Micros(1))

    assert (report.behind, report.finished) == (16, False)
    assert await run(database) == (24, 0, True)


async def test_the_schedule_brings_home_what_came_back_to_wallets_without_use(
    database: Database, make_wallets: MakeWallets
) -> None:
    wallets = make_wallets(8)
    for shard in range(8):
        await wallets.open("enterprise", shard=shard, av=100, gr=100)
    hold = await wallets.hold(100, shard=3)
    await change_plan(database, wallets.tenant, Plan.PRO, NOVEMBER)
    await wallets.ledger.release(hold)
    large = make_wallets(8)
    for shard in range(8):
        await large.open("enterprise", shard=shard, av=100, gr=100)

    assert await run(database) == (16, 1, True)

    assert await wallets.available() == [800, *[0] * 7]
    assert await large.available() == [100] * 8


async def test_a_wallet_that_can_not_be_written_delays_no_other(
    database: Database, faulty: FaultyDynamoDB, make_wallets: MakeWallets
) -> None:
    wallets = [make_wallets() for _ in range(3)]
    for each in wallets:
        await each.open("pro")
    faulty.faults.extend([None, *[Fault.LOSE_REQUEST] * 12])

    with pytest.raises(Unavailable):
        await run(database)
    faulty.faults.clear()

    assert (await run(database))[2] is True
    assert {(await each.wallet())["mon"] for each in wallets} == {202612}


async def test_a_mistake_in_the_program_is_no_wallet_that_can_not_be_written(
    database: Database, make_wallets: MakeWallets, monkeypatch: pytest.MonkeyPatch
) -> None:
    await make_wallets().open("pro")

    async def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("callmissed.ledger.months.start_month", broken)
    with pytest.raises(ZeroDivisionError):
        await run(database)


async def test_an_entry_is_never_replaced(database: Database, wallets: TenantWallets) -> None:
    await wallets.open("free")
    await turn(database, await wallets.wallet())
    (entry,) = await granted(database, wallets)
    more = {"tenant": wallets.tenant, "amount": MicroCredits(1), "operation_id": "again", "now": DECEMBER}

    with pytest.raises(TransactionCanceled):
        await grant(database, **more, entry_id=entry.entry_id)  # type: ignore[arg-type]

    assert [each.amount for each in await granted(database, wallets)] == [FREE]
