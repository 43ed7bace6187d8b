"""Wallets in shards, for tenants whose calls would crowd one item.

About twenty holds in flight make a wallet grow past 1 KB, and every write to it then costs double; one item also takes
1,000 writes a second at most. A tenant whose plan says so has several wallets, each with a share of the credits and
of the budget, and each keeping the wallet's equations by itself. A call holds in the shard that its id names. When
that shard can't pay, it borrows once: one transaction levels what all shards have, or, when the sum is low, collapses
it into this one. Shards are for plans without monthly quotas; levelling does not move call counters.
"""

import asyncio
import random
from weakref import WeakValueDictionary

from callmissed.aws.attributes import Item
from callmissed.aws.comparisons import at_least
from callmissed.aws.database import Database
from callmissed.aws.dynamodb import TransactionCanceled, Unavailable
from callmissed.aws.operations import WriteOperation, update_operation
from callmissed.clock import month_of
from callmissed.ledger.refusals import refusal
from callmissed.ledger.wallet import ACTIVE, NO_BUDGET, quotas, turn_month
from callmissed.platform.tables import WALLETS

_BORROW_TRIES = 10


def wallet_id(tenant: str, shard: int) -> str:
    """Id of one of the tenant's wallets; shard 0 is the one that every tenant has."""
    return f"{tenant}#{shard}" if shard else tenant


def owner(wallet: str) -> tuple[str, int]:
    """Tenant and shard of a wallet's id."""
    tenant, _, shard = wallet.partition("#")
    return tenant, int(shard or 0)


def shard_of(call_id: str, shards: int) -> int:
    """The shard in which the call holds: by the last of its random letters."""
    return int(call_id[-1:].encode()[0]) % shards


def shares(wallets: list[Item], taker: int, need: int) -> list[dict[str, int]]:
    """By how much each wallet's `av` and `bl` change so that the taker can hold `need` and the rest is level.

    The changes of each name sum to zero and leave no wallet below zero. The taker ends with `need` and a level share
    of what is left, so a sum that is just enough collapses into it. A wallet without a budget needs no share of one.
    """
    changes: list[dict[str, int]] = [{"av": 0, "bl": 0} for _ in wallets]
    for name in ("av", "bl"):
        if name == "bl" and wallets[0]["bud"] >= NO_BUDGET:
            continue
        rest = sum(wallet[name] for wallet in wallets) - need
        level, odd = divmod(rest, len(wallets))
        for shard, wallet in enumerate(wallets):
            target = level + (need + odd if shard == taker else 0)
            changes[shard][name] = target - wallet[name]
    return changes


async def read_wallets(database: Database, tenant: str, shards: int) -> list[Item]:
    """Those of the tenant's wallets that exist, in order, strongly consistent. Raises Unavailable."""
    return await database.get_all(WALLETS, [{"id": wallet_id(tenant, shard)} for shard in range(shards)])


class Shards:
    """The shards of one stage's wallets table."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._borrowing: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def borrow(self, tenant: str, taker: int, shards: int, service: str, need: int, now: int) -> None:
        """Bring at least `need` micro-credits into the shard `taker`, in one transaction.

        Raises the wallet's refusal (ApiError) when all shards together can't pay, Unavailable when other calls
        keep changing them.
        """
        async with self._borrowing.setdefault(tenant, asyncio.Lock()):  # calls of one process take turns
            await self._borrow(tenant, taker, shards, service, need, now)

    async def _borrow(self, tenant: str, taker: int, shards: int, service: str, need: int, now: int) -> None:
        for _ in range(_BORROW_TRIES):
            wallets = await self._read(tenant, shards)
            if await self._turned(wallets, month_of(now)):
                continue
            total = _sum(wallets)
            if total["st"] != ACTIVE or min(total["av"], total["bl"]) < need:
                raise refusal(total, service, need, now)
            try:
                await self._move(wallets, shares(wallets, taker, need))
            except (TransactionCanceled, Unavailable):
                await asyncio.sleep(random.uniform(0, 0.05))  # noqa: S311
                continue  # a call changed a shard in between, or the answer was lost: look again
            return
        raise Unavailable("the shards kept changing", indeterminate=False)

    async def _read(self, tenant: str, shards: int) -> list[Item]:
        """All shards in order, strongly consistent; one that is missing is made."""
        ids = [wallet_id(tenant, shard) for shard in range(shards)]
        found = {wallet["id"]: wallet for wallet in await read_wallets(self._database, tenant, shards)}
        if len(found) == shards:
            return list(found.values())
        if tenant not in found:
            raise Unavailable("the wallets could not be read", indeterminate=False)
        for id in ids:
            if id not in found:
                await self._create(id, found[tenant])
        return await self._read(tenant, shards)

    async def _turned(self, wallets: list[Item], month: int) -> bool:
        """Start the month in the shards that had no call in it yet, or they would seem to have spent their budget."""
        behind = [wallet for wallet in wallets if wallet["mon"] < month]
        for wallet in behind:
            await turn_month(self._database, wallet, month)
        return bool(behind)

    async def _create(self, id: str, primary: Item) -> None:
        budget = NO_BUDGET if primary["bud"] >= NO_BUDGET else 0
        money = {"av": 0, "gr": 0, "sp": 0, "spt": 0, "bud": budget, "bl": budget}
        wallet: Item = {"id": id, **{name: primary[name] for name in ("plan", "st", "mon")}, "h": {}, **money}
        await self._database.put_new(WALLETS, wallet | quotas(primary["plan"]))

    async def _move(self, wallets: list[Item], changes: list[dict[str, int]]) -> None:
        """Apply the changes if every giver still has what it gives."""
        operations = [
            _change(wallet["id"], change)
            for wallet, change in zip(wallets, changes, strict=True)
            if any(change.values())
        ]
        if operations:
            await self._database.transact(operations)


def _change(id: str, change: dict[str, int]) -> WriteOperation:
    more = {"av": change["av"], "gr": change["av"], "bl": change["bl"], "bud": change["bl"]}
    given = {name: at_least(max(0, -change[name])) for name in ("av", "bl")}
    return update_operation(WALLETS, {"id": id}, add=more, expected=given)


def _sum(wallets: list[Item]) -> Item:
    """One wallet with what all have together, for a refusal's words."""
    budgeted = wallets[0]["bud"] < NO_BUDGET
    return wallets[0] | {
        "av": sum(wallet["av"] for wallet in wallets),
        "bl": sum(wallet["bl"] for wallet in wallets) if budgeted else NO_BUDGET,
    }
