"""Tenants and API keys on real tables: managed, called with, and read as DynamoDB stores them."""

from dataclasses import dataclass
from typing import Any

from callmissed.aws.attributes import Item, from_item, to_item
from callmissed.aws.database import Database
from callmissed.aws.dynamodb import DynamoDB
from callmissed.clock import Micros
from callmissed.errors import ApiError
from callmissed.keys.admission import Admission, Admitted
from callmissed.keys.authenticate import KeyAuthenticator
from callmissed.keys.management import KeyManager, NewKey
from callmissed.keys.policy import KeyPolicy
from callmissed.keys.secret import Mode, key_hash
from callmissed.money import MicroCredits
from callmissed.plans.plans import Plan
from callmissed.platform.tables import DOMAINS, KEYS, TABLES, Table, physical_name
from callmissed.tenants.tenants import create_tenant
from local.aws.tables import StageTables
from tests.support.interleaving import InterleavingDynamoDB

NOVEMBER = Micros(1_794_787_200_000_000)
"""16 November 2026, 00:00 UTC, in epoch microseconds."""

OLD, NEW = b"old pepper of some length", b"new pepper of some length"


@dataclass(frozen=True, slots=True)
class KeyStore:
    """The keys of one stage. Reads are strongly consistent; every process has a DynamoDB client of its own."""

    dynamodb: DynamoDB
    store: StageTables
    made: list[DynamoDB]

    @property
    def manager(self) -> KeyManager:
        return KeyManager(Database(self.dynamodb, self.store.stage), OLD)

    def interleaved(self) -> InterleavingDynamoDB:
        interleaved = InterleavingDynamoDB(self.store.endpoint)
        self.made.append(interleaved)
        return interleaved

    def managed_by(self, dynamodb: DynamoDB) -> KeyManager:
        return KeyManager(Database(dynamodb, self.store.stage), OLD)

    def ring(self, *peppers: bytes, dynamodb: DynamoDB | None = None) -> KeyAuthenticator:
        """A process of the gateway, which remembers nothing yet."""
        client = dynamodb or self.dynamodb
        return KeyAuthenticator(
            Database(client, self.store.stage), Admission(Database(client, self.store.stage)), peppers
        )

    async def tenant(self, plan: Plan = Plan.PRO) -> str:
        record = await create_tenant(Database(self.dynamodb, self.store.stage), name="tests", plan=plan, now=NOVEMBER)
        return record.tenant_id

    async def key(self, tenant: str | None = None, *, mode: Mode = Mode.LIVE, **policy: Any) -> NewKey:
        return await self.manager.create(
            tenant or await self.tenant(), name="tests", mode=mode, policy=KeyPolicy(**policy), now=NOVEMBER
        )

    async def call(self, secret: str, cost: int = 0, now: int = NOVEMBER, *peppers: bytes) -> Admitted:
        """One call by a fresh process."""
        return await self.ring(*(peppers or (OLD,))).admit(secret, MicroCredits(cost), Micros(now))

    async def refusal(self, secret: str, cost: int = 0, now: int = NOVEMBER, *peppers: bytes) -> str:
        """Code with which a call is refused; `admitted` when it isn't."""
        try:
            await self.call(secret, cost, now, *peppers)
        except ApiError as error:
            return error.code
        return "admitted"

    async def hot(self, secret: str, pepper: bytes = OLD) -> Item:
        """The hot item of `secret`, empty if there is none."""
        return await self.read(KEYS, {"id": key_hash(pepper, secret)})

    async def origin(self, pattern: str) -> frozenset[str]:
        """Ids of the keys that are locked to `pattern`."""
        found = Database(self.dynamodb, self.store.stage).query(DOMAINS, pattern, consistent=True)
        return frozenset([lock["key"].partition("#")[2] async for lock in found])

    async def read(self, table: Table, key: Item) -> Item:
        request = {"TableName": physical_name(self.store.stage, table), "Key": to_item(key), "ConsistentRead": True}
        return from_item((await self.dynamodb.call("GetItem", request)).get("Item", {}))

    async def everything(self) -> dict[str, list[dict[str, Any]]]:
        """Every item of every table as DynamoDB has it."""
        found: dict[str, list[dict[str, Any]]] = {}
        for table in TABLES:
            request = {"TableName": physical_name(self.store.stage, table), "ConsistentRead": True}
            found[table.name] = (await self.dynamodb.call("Scan", request))["Items"]
        return found
