"""A process that dies with a call's hold in the wallet: the sweep gives the key its charge back, once."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass

import pytest
import pytest_asyncio

from callmissed.aws.database import Database
from callmissed.clock import MINUTE, Micros, month_of
from callmissed.errors import ApiError
from callmissed.keys.admission import Admitted
from callmissed.keys.budgets import KeyBudgets, charge_of, short_name
from callmissed.keys.management import NewKey
from callmissed.ledger import sweep as sweep_module
from callmissed.ledger.holds import Hold, Ledger, Settlement
from callmissed.ledger.sweep import SweepReport, sweep
from callmissed.ledger.wallet import KeyCharge
from callmissed.money import MicroCredits
from local.aws.tables import StageTables
from tests.support.faults import Crash, Fault, FaultyDynamoDB
from tests.support.keys.key_store import NEW, NOVEMBER, OLD, KeyStore
from tests.support.tenant_wallets import HOLD_MINUTES, TenantWallets, call_in, deduction

BUDGET, CHARGED = 10_000, 100
EXPIRY = Micros(NOVEMBER + HOLD_MINUTES * MINUTE)
DECEMBER = Micros(NOVEMBER + 15 * 24 * 60 * MINUTE)
DEATHS = [Fault.DIE_BEFORE, Fault.DIE_AFTER, Fault.DIE_IN_FLIGHT]
SWEEP = ["wallets", "entry", "void", "keys", "key", "wallet and key"]


@dataclass
class BudgetedTenant:
    """A tenant with credits and a key with a budget."""

    keys: KeyStore
    wallets: TenantWallets
    key: NewKey
    sweeper: FaultyDynamoDB

    @property
    def stage(self) -> str:
        return self.keys.store.stage

    async def admit(self, charged: int = CHARGED, now: int = NOVEMBER) -> Admitted:
        return await self.keys.ring(OLD).admit(self.key.secret, MicroCredits(charged), Micros(now))

    async def hold(self, admitted: Admitted, amount: int = CHARGED, *, shard: int = 0, now: int = NOVEMBER) -> Hold:
        """The hold of a call, which names what its key was charged."""
        call_id = call_in(shard, now)
        hold, _ = await self.wallets.ledger.hold(
            self.wallets.tenant,
            call_id,
            "llm",
            MicroCredits(amount),
            shards=self.wallets.shards,
            charge=charge_of(admitted),
        )
        return hold

    async def sweep(self, now: int = EXPIRY) -> SweepReport:
        return await sweep(Database(self.sweeper, self.stage), Micros(now), KeyBudgets)

    async def left(self, secret: str = "", pepper: bytes = OLD) -> int:
        """What is left of the budget under the secret."""
        return (await self.keys.hot(secret or self.key.secret, pepper))["kb"]


@pytest_asyncio.fixture
async def sweeper(module_tables: StageTables) -> AsyncIterator[FaultyDynamoDB]:
    dynamodb = FaultyDynamoDB(module_tables.endpoint)
    yield dynamodb
    await dynamodb.close()


@pytest_asyncio.fixture
async def tenant(fresh_key_store: KeyStore, sweeper: FaultyDynamoDB) -> BudgetedTenant:
    return await new_tenant(fresh_key_store, sweeper)


async def new_tenant(key_store: KeyStore, sweeper: FaultyDynamoDB, *, shards: int = 1) -> BudgetedTenant:
    wallets = TenantWallets(key_store.store, key_store.dynamodb, shards=shards)
    wallets.tenant = await key_store.tenant()
    for shard in range(shards):
        await wallets.open("enterprise" if shards > 1 else "free", shard=shard, av=1000, gr=1000)
    key = await key_store.key(wallets.tenant, budget=MicroCredits(BUDGET), rpm=60_000)
    return BudgetedTenant(key_store, wallets, key, sweeper)


async def test_wallet_and_key_get_back_what_a_dead_call_had(tenant: BudgetedTenant) -> None:
    await tenant.hold(await tenant.admit())
    assert await tenant.left() == BUDGET - CHARGED

    assert (await tenant.sweep()).voided == 1

    assert (await tenant.left(), (await tenant.wallets.wallet())["av"]) == (BUDGET, 1000)
    assert (await tenant.sweep()).backlog == 0


async def test_key_gets_its_whole_charge_back_where_the_wallet_held_less(tenant: BudgetedTenant) -> None:
    await tenant.hold(await tenant.admit(300), 100)

    await tenant.sweep()

    assert await tenant.left() == BUDGET


@pytest.mark.parametrize("fault", DEATHS)
@pytest.mark.parametrize("step", range(len(SWEEP)), ids=SWEEP)
async def test_sweep_that_dies_gives_back_once(tenant: BudgetedTenant, step: int, fault: Fault) -> None:
    await tenant.hold(await tenant.admit())
    tenant.sweeper.faults.extend([*[None] * step, fault])
    with suppress(Crash):
        await tenant.sweep()
    assert not tenant.sweeper.faults, "the sweep has fewer requests"

    await tenant.sweep()
    while tenant.sweeper.late:
        await tenant.sweeper.deliver_late(0)
    await tenant.sweep()

    assert (await tenant.left(), (await tenant.wallets.wallet())["av"]) == (BUDGET, 1000)


async def test_sweeps_at_once_give_back_once(tenant: BudgetedTenant) -> None:
    await asyncio.gather(*[tenant.hold(await tenant.admit()) for _ in range(3)])

    await asyncio.gather(*(tenant.sweep() for _ in range(4)), return_exceptions=True)
    await tenant.sweep()

    assert (await tenant.left(), (await tenant.wallets.wallet())["av"]) == (BUDGET, 1000)


async def test_settlement_that_comes_after_the_sweep_refunds_nothing(tenant: BudgetedTenant) -> None:
    admitted = await tenant.admit()
    hold, refunds = await tenant.hold(admitted), list[int]()
    await tenant.sweep()

    async def refund() -> None:
        refunds.append(1)

    assert await tenant.wallets.ledger.settle(hold, deduction(hold, 60), refund) is Settlement.VOIDED
    assert (refunds, await tenant.left()) == ([], BUDGET)


async def test_settlement_refunds_once_beside_the_sweep(tenant: BudgetedTenant) -> None:
    hold, refunds = await tenant.hold(await tenant.admit()), list[int]()

    async def refund() -> None:
        refunds.append(1)

    tenant.sweeper.before("UpdateItem", tenant.sweep)
    ledger = Ledger(Database(tenant.sweeper, tenant.stage))
    assert await ledger.settle(hold, deduction(hold, 60), refund) is Settlement.APPLIED
    assert (refunds, await tenant.left()) == ([1], BUDGET - CHARGED), "the sweep leaves the key's share to the settler"


@pytest.mark.parametrize("overlap", [0, 60])
async def test_charge_of_a_rotated_key_goes_to_its_newest_secret(tenant: BudgetedTenant, overlap: int) -> None:
    await tenant.hold(await tenant.admit())
    fresh = await tenant.keys.manager.rotate(
        tenant.wallets.tenant, tenant.key.record.key_id, overlap_minutes=overlap, now=NOVEMBER
    )

    await tenant.sweep()

    earlier = await tenant.left() if overlap else 0
    assert await tenant.left(fresh.secret) + earlier == BUDGET


async def test_charge_follows_a_key_to_another_pepper(tenant: BudgetedTenant) -> None:
    await tenant.hold(await tenant.admit())
    await tenant.keys.ring(NEW, OLD).admit(tenant.key.secret, MicroCredits(0), Micros(NOVEMBER + MINUTE))

    await tenant.sweep()

    assert await tenant.left(pepper=NEW) == BUDGET


async def test_key_that_moves_amid_the_sweep_gets_its_charge(tenant: BudgetedTenant) -> None:
    await tenant.hold(await tenant.admit())

    async def move() -> None:
        await tenant.keys.ring(NEW, OLD).admit(tenant.key.secret, MicroCredits(0), Micros(NOVEMBER + MINUTE))

    tenant.sweeper.before("TransactWriteItems", move)
    await tenant.sweep()

    assert tenant.sweeper.pending == 0
    assert (await tenant.left(pepper=NEW), (await tenant.wallets.wallet())["av"]) == (BUDGET, 1000)


async def test_key_that_keeps_moving_does_not_keep_the_wallets_hold(
    tenant: BudgetedTenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweep_module, "_TRIES", 1)
    await tenant.hold(await tenant.admit())

    async def move() -> None:
        await tenant.keys.ring(NEW, OLD).admit(tenant.key.secret, MicroCredits(0), Micros(NOVEMBER + MINUTE))

    tenant.sweeper.before("TransactWriteItems", move)
    await tenant.sweep()

    assert (await tenant.left(pepper=NEW), (await tenant.wallets.wallet())["av"]) == (BUDGET - CHARGED, 1000)


async def test_new_month_has_its_budget_already(tenant: BudgetedTenant) -> None:
    await tenant.hold(await tenant.admit())
    await tenant.admit(0, DECEMBER)

    await tenant.sweep(DECEMBER)

    assert await tenant.left() == BUDGET
    assert (await tenant.wallets.wallet())["h"] == {}


async def test_month_that_begins_amid_the_sweep_has_its_budget_already(tenant: BudgetedTenant) -> None:
    await tenant.hold(await tenant.admit())

    async def turn() -> None:
        await tenant.admit(0, DECEMBER)

    tenant.sweeper.before("TransactWriteItems", turn)
    await tenant.sweep(DECEMBER)

    assert (await tenant.left(), (await tenant.wallets.wallet())["h"]) == (BUDGET, {})


async def test_call_that_began_before_the_month_it_was_charged_in(tenant: BudgetedTenant) -> None:
    admitted = await tenant.admit(now=DECEMBER)
    hold = await tenant.hold(admitted, now=DECEMBER - MINUTE)
    assert list(hold.token)[3:] == [short_name(admitted.key.key_id), CHARGED, month_of(DECEMBER)]

    await tenant.sweep(DECEMBER + 30 * MINUTE)

    assert await tenant.left() == BUDGET


async def test_revoked_key_keeps_nobodys_credits(tenant: BudgetedTenant) -> None:
    await tenant.hold(await tenant.admit())
    await tenant.keys.manager.revoke(tenant.wallets.tenant, tenant.key.record.key_id)

    await tenant.sweep()

    assert ((await tenant.wallets.wallet())["av"], await tenant.left()) == (1000, BUDGET)
    with pytest.raises(ApiError, match="API key"):
        await tenant.admit(0)


@pytest.mark.parametrize("key", [b"gone", None], ids=["of a key that is gone", "of the old form"])
async def test_hold_without_a_key_is_swept(tenant: BudgetedTenant, key: bytes | None) -> None:
    charge = KeyCharge(key, MicroCredits(CHARGED), month_of(NOVEMBER)) if key else None
    await tenant.wallets.ledger.hold(tenant.wallets.tenant, call_in(0), "llm", MicroCredits(100), charge=charge)

    assert (await tenant.sweep()).voided == 1

    assert ((await tenant.wallets.wallet())["av"], await tenant.left()) == (1000, BUDGET)


async def test_hold_in_a_shard_gives_both_back(fresh_key_store: KeyStore, sweeper: FaultyDynamoDB) -> None:
    tenant = await new_tenant(fresh_key_store, sweeper, shards=2)
    for shard in range(2):
        await tenant.hold(await tenant.admit(), shard=shard)

    await tenant.sweep()

    assert [(await tenant.wallets.wallet(shard))["av"] for shard in range(2)] == [1000, 1000]
    assert await tenant.left() == BUDGET


async def test_second_late_hold_of_a_call_gives_the_key_nothing(tenant: BudgetedTenant) -> None:
    tenant.sweeper.faults.extend([Fault.DELAY, Fault.DELAY, Fault.DIE_BEFORE])
    charge = charge_of(await tenant.admit())
    assert charge
    with suppress(Crash):
        await Ledger(Database(tenant.sweeper, tenant.stage)).hold(
            tenant.wallets.tenant, call_in(0), "llm", MicroCredits(100), charge=charge
        )
    assert charge.contested

    for _ in range(2):
        await tenant.sweeper.deliver_late(0)
        assert (await tenant.sweep()).voided == 1

    assert (await tenant.left(), (await tenant.wallets.wallet())["av"]) == (BUDGET, 1000)


async def test_keys_without_a_budget_are_not_named(tenant: BudgetedTenant) -> None:
    key = await tenant.keys.key(tenant.wallets.tenant)
    admitted = await tenant.keys.ring(OLD).admit(key.secret, MicroCredits(CHARGED), NOVEMBER)

    assert len((await tenant.hold(admitted)).token) == 3
