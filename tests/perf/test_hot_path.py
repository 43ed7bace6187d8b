"""What a call costs in DynamoDB (design §5, §10): counted, never timed."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any

import httpx2
import pytest

from callmissed.aws.dynamodb import DynamoDB, Exchange
from callmissed.clock import system_clock
from callmissed.keys.management import KeyManager
from callmissed.keys.policy import KeyPolicy
from callmissed.keys.secret import Mode, new_secret
from callmissed.ledger.grants import grant
from callmissed.money import CREDIT
from callmissed.settings import CoreSettings
from callmissed.tenancy.plans import Plan
from callmissed.tenancy.tenants import create_tenant
from functions.inference.app import create_app, create_gateway
from functions.inference.providers.port import UpstreamCall, UpstreamReply
from functions.inference.providers.sandbox import SandboxProvider
from functions.inference.upstreams import Upstreams
from local.engines import Store

PEPPER = b"perf" * 8
UPSTREAM = "upstream"
ADMIT, HOLD, ENTRY, APPLY = "UpdateItem keys", "UpdateItem wallets", "PutItem ledger", "UpdateItem wallets"
GIVE_BACK = "UpdateItem keys"
READS = ("GetItem", "BatchGetItem", "Query", "Scan", "TransactGetItems")


class CountingDynamoDB(DynamoDB):
    """Logs each request as it is sent, and how many waits of one after the other they make."""

    def __init__(self, endpoint: str) -> None:
        self.log: list[str] = []
        self.waits = 0
        self.units = 0.0
        self._under_way = 0
        super().__init__("us-east-1", endpoint, timeout_seconds=20, observe=self._seen)

    async def send(self, operation: str, payload: bytes) -> dict[str, Any]:
        """Send and take note."""
        self.log.append(operation)
        self.waits += self._under_way == 0
        self._under_way += 1
        try:
            return await super().send(operation, payload)
        finally:
            self._under_way -= 1

    def _seen(self, exchange: Exchange) -> None:
        self.units += exchange.capacity
        place = self.log.index(exchange.operation)
        self.log[place] = f"{exchange.operation} {exchange.table.rpartition('-')[2]}"

    def forget(self) -> None:
        """Start counting anew."""
        self.log, self.waits, self.units = [], 0, 0.0


@dataclass
class LoggedSandbox:
    """The sandbox, which logs that it was asked."""

    dynamodb: CountingDynamoDB
    sandbox: SandboxProvider

    async def send(self, call: UpstreamCall) -> UpstreamReply:
        """Log and pass on."""
        self.dynamodb.log.append(UPSTREAM)
        return await self.sandbox.send(call)

    async def close(self) -> None:
        """Nothing to close."""


@dataclass
class Counted:
    """The application over a counting client, and a tenant on it."""

    dynamodb: CountingDynamoDB
    client: httpx2.AsyncClient
    stage: str
    tenant: str

    async def key(self, mode: Mode = Mode.LIVE, **policy: Any) -> str:
        """Secret of a new key."""
        manager = KeyManager(self.dynamodb, self.stage, PEPPER)
        made = await manager.create(self.tenant, name="perf", mode=mode, policy=KeyPolicy(**policy), now=system_clock())
        return made.secret

    async def call(self, secret: str, *, stream: bool = False, model: str = "sandbox") -> httpx2.Response:
        """One chat call; only what it sends is counted."""
        self.dynamodb.forget()
        body = {"model": model, "stream": stream, "messages": [{"role": "user", "content": "Count me."}]}
        return await self.client.post("/v1/chat/completions", json=body, headers={"Authorization": f"Bearer {secret}"})


@pytest.fixture
async def counted(tables: Store) -> AsyncIterator[Counted]:
    dynamodb = CountingDynamoDB(tables.endpoint)
    settings = CoreSettings(
        stage=tables.stage, region="us-east-1", dynamodb_endpoint=tables.endpoint, peppers=PEPPER.hex()
    )
    gateway = create_gateway(settings, dynamodb=dynamodb)

    async def no_sleep(_seconds: float) -> None:
        return None

    sandbox = LoggedSandbox(dynamodb, SandboxProvider(sleep=no_sleep))
    gateway = replace(gateway, upstreams=Upstreams(gateway.catalog, {}, sandbox, no_sleep))
    now = system_clock()
    tenant = (await create_tenant(dynamodb, tables.stage, name="perf", plan=Plan.PRO, now=now))["tenant"]
    await grant(dynamodb, tables.stage, tenant=tenant, amount=1_000 * CREDIT, operation_id="first", now=now)
    transport = httpx2.ASGITransport(create_app(gateway))
    async with httpx2.AsyncClient(transport=transport, base_url="http://gateway") as client:
        yield Counted(dynamodb, client, tables.stage, tenant)
    await gateway.close()


@pytest.mark.parametrize("stream", [False, True])
async def test_a_call_makes_two_writes_before_the_upstream_and_two_after(counted: Counted, stream: bool) -> None:
    secret = await counted.key()
    answer = await counted.call(secret, stream=stream)
    assert answer.status_code == 200
    assert counted.dynamodb.log == [ADMIT, HOLD, UPSTREAM, ENTRY, APPLY]
    assert (counted.dynamodb.waits, counted.dynamodb.units) == (4, 4)


@pytest.mark.parametrize("stream", [False, True])
async def test_a_key_with_a_budget_costs_one_more_write_beside_the_others(counted: Counted, stream: bool) -> None:
    secret = await counted.key(budget=100 * CREDIT)
    answer = await counted.call(secret, stream=stream)
    assert answer.status_code == 200
    log = counted.dynamodb.log
    assert log[:3] == [ADMIT, HOLD, UPSTREAM]
    assert sorted(log[3:]) == sorted([ENTRY, APPLY, GIVE_BACK])
    assert counted.dynamodb.waits <= 4
    assert counted.dynamodb.units == 5


async def test_later_calls_guess_the_branch_of_admission(counted: Counted) -> None:
    secret = await counted.key(rpm=60)
    for _ in range(5):
        await counted.call(secret)
        assert counted.dynamodb.log == [ADMIT, HOLD, UPSTREAM, ENTRY, APPLY]


async def test_no_call_reads_or_transacts(counted: Counted) -> None:
    secret = await counted.key(budget=100 * CREDIT)
    for stream in (False, True):
        await counted.call(secret, stream=stream)
        assert not [entry for entry in counted.dynamodb.log if entry.startswith((*READS, "TransactWriteItems"))]


async def test_a_test_key_holds_nothing(counted: Counted) -> None:
    secret = await counted.key(Mode.TEST)
    answer = await counted.call(secret, model="gpt-4o")
    assert answer.headers["x-callmissed-sandbox"] == "true"
    assert counted.dynamodb.log == [ADMIT, UPSTREAM, ENTRY]


async def test_a_garbled_key_never_reaches_a_table(counted: Counted) -> None:
    answer = await counted.call("cm_live_" + "a" * 46)
    assert answer.status_code == 401
    assert counted.dynamodb.log == []


async def test_an_unknown_key_costs_one_write(counted: Counted) -> None:
    answer = await counted.call(new_secret(Mode.LIVE))
    assert answer.status_code == 401
    assert [entry.partition(" ")[0] for entry in counted.dynamodb.log] == ["UpdateItem"]


async def test_a_limited_key_is_refused_from_memory(counted: Counted) -> None:
    secret = await counted.key(rpm=1)
    assert (await counted.call(secret)).status_code == 200
    assert (await counted.call(secret)).status_code == 429
    answer = await counted.call(secret)
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) >= 1
    assert counted.dynamodb.log == []
