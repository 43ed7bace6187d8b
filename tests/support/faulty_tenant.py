"""One tenant on a real table: sends the ledger's requests through faults and shows the model what arrived."""

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar

from callmissed.aws.attributes import from_item, to_item
from callmissed.aws.database import Database
from callmissed.aws.dynamodb import DynamoDB, DynamoError
from callmissed.errors import ApiError
from callmissed.ids import new_id
from callmissed.ledger.holds import Settlement
from callmissed.platform.tables import LEDGER, WALLETS, physical_name
from local.aws.tables import StageTables
from tests.support.faults import Crash, Fault, FaultyDynamoDB, tables_in
from tests.support.wallet_items import new_wallet
from tests.support.wallet_model import Item, WalletModel

T = TypeVar("T")
Failure = Crash | DynamoError | ApiError


def outcome_name(outcome: object) -> str:
    """Name of a step's outcome: a refusal's code, a settlement, or the type."""
    if isinstance(outcome, ApiError):
        return outcome.code
    return str(outcome) if isinstance(outcome, Settlement) else type(outcome).__name__


class FaultyTenant:
    """A tenant's wallets and entries in `store`, seen by a model after every write that arrives."""

    def __init__(self, loop: asyncio.AbstractEventLoop, store: StageTables, dynamodb: FaultyDynamoDB) -> None:
        self.loop = loop
        self.stage = store.stage
        self.dynamodb = dynamodb
        self.database = Database(dynamodb, store.stage)
        self.tenant = new_id("tnt")
        self.model = WalletModel()
        self._plain = DynamoDB("us-east-1", store.endpoint, timeout_seconds=30.0)
        dynamodb.arrived = self._arrived

    def start(self, plan: str, month: int, **fields: int) -> None:
        """Write the tenant's first wallet."""
        self.model.wallets = {self.tenant: new_wallet(self.tenant, plan, month) | fields}
        self.write(self.model.wallets[self.tenant])

    def write(self, wallet: Item) -> None:
        """Put a wallet as an operator would, past the ledger."""
        self.model.wallets[wallet["id"]] = wallet
        self.now(self._plain.call("PutItem", {"TableName": self._table(WALLETS), "Item": to_item(wallet)}))

    def now(self, work: Coroutine[Any, Any, T]) -> T:
        """Result of `work`, whatever it raises."""
        return self.loop.run_until_complete(work)

    def attempt(self, work: Coroutine[Any, Any, T], faults: Sequence[Fault | None]) -> T | Failure:
        """Result of `work` under `faults`, or its failure."""
        self.dynamodb.faults.extend(faults)
        try:
            return self.now(work)
        except (Crash, DynamoError, ApiError) as failure:
            return failure
        finally:
            self.dynamodb.faults.clear()

    def read_all(self) -> None:
        """Read everything anew, strongly consistent, and check it."""
        self.now(self._see({self._table(LEDGER), self._table(WALLETS)}))

    def reload(self) -> WalletModel:
        """Read everything again after concurrent work, whose single steps can't be distinguished; check the sums."""
        self.model.entries = {item["entry"]: item for item in self.now(self._entries())}
        self.model.wallets = {item["id"]: item for item in self.now(self._wallets())}
        self.model.check()
        return self.model

    def end(self) -> None:
        """Remove the wallets, so that no later sweep of this stage finds them."""
        self.dynamodb.forget()
        self.dynamodb.arrived = None
        for id in self.model.wallets:
            request = {"TableName": self._table(WALLETS), "Key": to_item({"id": id})}
            self.now(self._plain.call("DeleteItem", request))
        self.now(self._plain.close())

    async def _arrived(self, request: dict[str, Any]) -> None:
        await self._see(tables_in(request))

    async def _see(self, tables: set[str]) -> None:
        if self._table(LEDGER) in tables:
            self.model.see_entries({item["entry"]: item for item in await self._entries()})
        if self._table(WALLETS) in tables:
            self.model.see_wallets({item["id"]: item for item in await self._wallets()})
        self.model.check()

    async def _entries(self) -> list[Item]:
        request = {
            "TableName": self._table(LEDGER),
            "KeyConditionExpression": "tenant = :tenant",
            "ExpressionAttributeValues": to_item({":tenant": self.tenant}),
            "ConsistentRead": True,
        }
        return [from_item(item) for item in (await self._plain.call("Query", request))["Items"]]

    async def _wallets(self) -> list[Item]:
        found = await self._plain.call("Scan", {"TableName": self._table(WALLETS), "ConsistentRead": True})
        wallets = map(from_item, found["Items"])
        return [wallet for wallet in wallets if wallet["id"].partition("#")[0] == self.tenant]

    def _table(self, table: Any) -> str:
        return physical_name(self.stage, table)
