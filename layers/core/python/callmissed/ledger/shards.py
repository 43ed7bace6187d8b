"""Wallets in shards, for tenants with too many calls for one item.

About twenty holds in flight make a wallet grow past 1 KB, and every write to it then costs double; one item also takes
1,000 writes a second at most. A tenant whose plan says so has several wallets, each with a share of the credits and
of the budget, and each keeps the wallet's equations on its own. A call's id determines its shard. When
that shard can't pay, it borrows once: one transaction levels the credits of all shards, or, when the sum is low, moves
all of them into this one. Shards are for plans without monthly quotas; levelling does not move call counters.
"""

import asyncio
import random
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import NamedTuple
from weakref import WeakValueDictionary

from callmissed.aws.database import Database
from callmissed.aws.dynamodb import TransactionCanceled, Unavailable
from callmissed.aws.operations import WriteOperation
from callmissed.clock import Micros, month_of
from callmissed.ledger.errors import refusal
from callmissed.ledger.records import (
    put_new_wallet,
    require_status,
    shift_operation,
    start_month,
    status_operation,
    wallet_of,
)
from callmissed.ledger.wallet import ACTIVE, NO_BUDGET, Wallet, new_wallet
from callmissed.money import NOTHING, MicroCredits, total
from callmissed.plans.plans import limits
from callmissed.platform.tables import WALLETS

_BORROW_TRIES = 10


def wallet_id(tenant: str, shard: int) -> str:
    """Id of one of the tenant's wallets; every tenant has shard 0."""
    return f"{tenant}#{shard}" if shard else tenant


def owner(wallet: str) -> tuple[str, int]:
    """Tenant and shard of a wallet's id."""
    tenant, _, shard = wallet.partition("#")
    return tenant, int(shard or 0)


def shard_of(call_id: str, shards: int) -> int:
    """The shard in which the call holds: by the last of its random letters."""
    return int(call_id[-1:].encode()[0]) % shards


class Shift(NamedTuple):
    """Changes of a wallet's credits and budget, in micro-credits."""

    credits: int
    budget: int


def shares(wallets: Sequence[Wallet], taker: int, need: MicroCredits) -> list[Shift]:
    """The shift of each wallet after which the taker can hold `need` and the rest is level.

    The changes of credits, and of budgets, sum to zero and leave no wallet below zero. The taker ends with `need` and
    an equal share of the rest, so a sum that is just enough moves into it entirely. A wallet without a budget gets no
    share of one.
    """
    credits = _levelled([wallet.available for wallet in wallets], taker, need)
    budgets = [0] * len(wallets)
    if wallets[0].has_budget:
        budgets = _levelled([wallet.budget_left for wallet in wallets], taker, need)
    return [Shift(*each) for each in zip(credits, budgets, strict=True)]


def _levelled(amounts: Sequence[int], taker: int, need: MicroCredits) -> list[int]:
    level, odd = divmod(sum(amounts) - need, len(amounts))
    targets = [level + (need + odd if shard == taker else 0) for shard in range(len(amounts))]
    return [target - amount for target, amount in zip(targets, amounts, strict=True)]


async def read_wallets(database: Database, tenant: str, shards: int) -> list[Wallet]:
    """The tenant's existing wallets, in order, strongly consistent. Raises Unavailable."""
    found = await database.get_all(WALLETS, [{"id": wallet_id(tenant, shard)} for shard in range(shards)])
    return [wallet_of(item) for item in found]


async def apply_status(database: Database, tenant: str, status: str, fence: WriteOperation) -> int:
    """Give the tenant's further wallets the `status` of its first one, if `fence` holds; returns how many differed.

    A shard that is made later gets the first one's. Raises TransactionCanceled, Unavailable.
    """
    (primary, *_) = await read_wallets(database, tenant, 1)
    shards = await read_wallets(database, tenant, limits(primary.plan).wallet_shards)
    behind = [wallet for wallet in shards if wallet.status != status]
    if behind:
        await database.transact([fence, *(status_operation(wallet.wallet_id, status) for wallet in behind)])
    return len(behind)


class Shards:
    """The shards of one stage's wallets table."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._borrowing: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def borrow(self, tenant: str, taker: int, shards: int, service: str, need: MicroCredits, now: Micros) -> None:
        """Bring at least `need` into the shard `taker`, in one transaction.

        Raises the wallet's refusal (ApiError) when all shards together can't pay, Unavailable when other calls
        keep changing them.
        """
        async with self._borrowing.setdefault(tenant, asyncio.Lock()):  # calls of one process take turns
            await self._borrow(tenant, taker, shards, service, need, now)

    async def _borrow(
        self, tenant: str, taker: int, shards: int, service: str, need: MicroCredits, now: Micros
    ) -> None:
        for _ in range(_BORROW_TRIES):
            wallets = await self._read(tenant, shards)
            if await self._turned(wallets, month_of(now)):
                continue
            total = _sum(wallets)
            if total.status != ACTIVE or min(total.available, total.budget_left) < need:
                raise refusal(total, service, need, now)
            try:
                await self._move(wallets, shares(wallets, taker, need))
            except (TransactionCanceled, Unavailable):
                await asyncio.sleep(random.uniform(0, 0.05))  # noqa: S311
                continue  # a call changed a shard in between, or the answer was lost: read again
            return
        raise Unavailable("the shards kept changing", indeterminate=False)

    async def _read(self, tenant: str, shards: int) -> list[Wallet]:
        """All shards in order, strongly consistent; one that is missing is made."""
        ids = [wallet_id(tenant, shard) for shard in range(shards)]
        found = {wallet.wallet_id: wallet for wallet in await read_wallets(self._database, tenant, shards)}
        if len(found) == shards:
            return list(found.values())
        if tenant not in found:
            raise Unavailable("the wallets could not be read", indeterminate=False)
        for each in ids:
            if each not in found:
                await self._create(each, found[tenant])
        return await self._read(tenant, shards)

    async def _turned(self, wallets: list[Wallet], month: int) -> bool:
        """Start the month in the shards without a call in it yet: their counters are those of an earlier month."""
        behind = [wallet for wallet in wallets if wallet.month < month]
        for wallet in behind:
            await start_month(self._database, wallet, month)
        return bool(behind)

    async def _create(self, wallet_id: str, primary: Wallet) -> None:
        """Write an empty shard; does nothing when another call did so first, or the tenant's status has changed."""
        budget = NOTHING if primary.has_budget else NO_BUDGET
        wallet = new_wallet(wallet_id, primary.plan, primary.month, budget=budget, status=primary.status)
        with suppress(TransactionCanceled):
            await self._database.transact([put_new_wallet(wallet), require_status(primary)])

    async def _move(self, wallets: list[Wallet], shifts: list[Shift]) -> None:
        """Apply the shifts if every giving shard still has its amount."""
        operations = [
            shift_operation(wallet.wallet_id, *shift)
            for wallet, shift in zip(wallets, shifts, strict=True)
            if any(shift)
        ]
        if operations:
            await self._database.transact(operations)


def _sum(wallets: list[Wallet]) -> Wallet:
    """One wallet with the sums of all, for the refusal's message."""
    first, left = wallets[0], total(wallet.budget_left for wallet in wallets)
    available = total(wallet.available for wallet in wallets)
    return replace(first, available=available, budget_left=left if first.has_budget else NO_BUDGET)
