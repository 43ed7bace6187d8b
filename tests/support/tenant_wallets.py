"""One tenant's wallets and entries on a real table, for tests of single interleavings."""

from collections.abc import Callable
from typing import Any

from callmissed.aws.attributes import Item, from_item, to_item
from callmissed.aws.database import Database
from callmissed.aws.dynamodb import DynamoDB
from callmissed.clock import Micros, month_of
from callmissed.ids import new_call_id, new_id, started_at
from callmissed.ledger.entries import Account, EntryType, LedgerEntry
from callmissed.ledger.holds import Hold, Ledger
from callmissed.ledger.shards import wallet_id
from callmissed.money import MicroCredits
from callmissed.platform.tables import WALLETS, physical_name
from local.aws.tables import StageTables
from tests.support.wallet_items import held, new_wallet, spent

NOVEMBER = Micros(1_794_787_200_000_000)
"""16 November 2026, 00:00 UTC, in epoch microseconds."""

HOLD_MINUTES = 20


def deduction(hold: Hold, cost: int) -> LedgerEntry:
    """The entry that settles `hold` at `cost` micro-credits."""
    token, created = (hold.amount, hold.attempt), started_at(hold.call_id)
    kind, debit, credit = EntryType.DEDUCTION, Account.HELD, Account.REVENUE
    return LedgerEntry(hold.tenant, hold.call_id, kind, MicroCredits(cost), debit, credit, created, held=token)


def call_in(shard: int, now: int = NOVEMBER) -> str:
    """Id of a new call that starts at `now` (epoch microseconds) and holds in `shard` of at most eight."""
    return new_call_id(Micros(now), HOLD_MINUTES)[:-1] + "01234567"[shard]


class TenantWallets:
    """A tenant of its own in `store`. `ledger` is a process that never fails; reads are strongly consistent."""

    def __init__(self, store: StageTables, dynamodb: DynamoDB, *, shards: int = 1) -> None:
        self.tenant = new_id("tnt")
        self.shards = shards
        self.ledger = Ledger(Database(dynamodb, store.stage))
        self._dynamodb = dynamodb
        self._table = physical_name(store.stage, WALLETS)

    async def open(self, plan: str = "free", *, shard: int = 0, **fields: int) -> None:
        """Put one wallet as of November, with `fields` of it changed."""
        wallet = new_wallet(wallet_id(self.tenant, shard), plan, month_of(NOVEMBER)) | fields
        await self._dynamodb.call("PutItem", {"TableName": self._table, "Item": to_item(wallet)})

    async def hold(self, amount: int, *, shard: int = 0, now: int = NOVEMBER) -> Hold:
        """Hold `amount` micro-credits for a new call that starts at `now` (epoch microseconds)."""
        hold, _ = await self.ledger.hold(
            self.tenant, call_in(shard, now), "llm", MicroCredits(amount), shards=self.shards
        )
        return hold

    async def wallet(self, shard: int = 0, *, owes: bool = False) -> Item:
        """The wallet of `shard`, whose equations hold and which is nowhere below zero, but for credits if it `owes`."""
        key = to_item({"id": wallet_id(self.tenant, shard)})
        request: dict[str, Any] = {"TableName": self._table, "Key": key, "ConsistentRead": True}
        wallet = from_item((await self._dynamodb.call("GetItem", request))["Item"])
        assert min(wallet["bl"], wallet["sp"], 0 if owes else wallet["av"]) >= 0
        assert wallet["av"] + held(wallet) + spent(wallet) == wallet["gr"] - wallet.get("rt", 0)
        assert wallet["bl"] + held(wallet) + wallet["sp"] == wallet["bud"]
        return wallet

    async def available(self) -> list[int]:
        """Available credits of every wallet, below zero where it owes."""
        return [(await self.wallet(shard, owes=True))["av"] for shard in range(self.shards)]

    async def charged(self, call_id: str) -> int:
        """Micro-credits that the call's entry says."""
        entry = await self.ledger.entry(self.tenant, call_id)
        assert entry is not None
        return entry.amount


MakeWallets = Callable[..., TenantWallets]
"""Creates a tenant with so many wallets, of which none is open."""
