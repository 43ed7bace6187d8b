"""Our gateway as it is deployed: the inference app under one uvicorn, governed by DynamoDB Local."""

import asyncio
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from bench.dialects import BEDROCK, CHAT, MESSAGES, RESPONSES
from bench.peers import Gateway
from callmissed.aws.database import Database
from callmissed.aws.dynamodb import DynamoDB
from callmissed.clock import system_clock
from callmissed.keys.management import KeyManager
from callmissed.keys.policy import KeyPolicy
from callmissed.keys.secret import Mode
from callmissed.ledger.grants import grant
from callmissed.money import CREDIT, MicroCredits
from callmissed.plans.plans import Plan
from callmissed.platform.functions import INFERENCE
from callmissed.tenants.tenants import create_tenant
from local.aws.tables import StageTables, create_tables

STAGE = "bench"
REGION = "us-east-1"
PEPPER = "00" * 32
REQUESTS_PER_MINUTE = 60_000
CREDITS = 10_000_000
MODELS = {CHAT: "fake-chat", MESSAGES: "fake-messages", RESPONSES: "fake-responses", BEDROCK: "fake-bedrock"}
"""The model that is served in each dialect."""

_AUTH = {BEDROCK: "sigv4"}

_PROVIDER = """\
[providers.fake_{dialect}]
dialect = "{dialect}"
base_url = "{upstream}"
auth = "{auth}"

[[models]]
id = "{model}"
provider = "fake_{dialect}"
upstream_id = "{model}"
input = 50.0
output = 150.0
context_window = 128000

"""


@dataclass(frozen=True, slots=True)
class Account:
    """The tenant of the benchmark with its live and its test key."""

    tenant: str
    live_key: str
    test_key: str


def environment(endpoint: str, providers_file: str) -> dict[str, str]:
    """The app's environment variables."""
    return {
        "CALLMISSED_STAGE": STAGE,
        "CALLMISSED_DYNAMODB_ENDPOINT": endpoint,
        "CALLMISSED_PEPPERS": PEPPER,
        "CALLMISSED_PROVIDERS_FILE": providers_file,
        "POWERTOOLS_LOG_LEVEL": "WARNING",
        "AWS_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
    }


def write_providers(upstream: str, scratch: Path) -> Path:
    """An operator's file with the base URL `upstream` as the providers of `MODELS`."""
    path = scratch / "providers.toml"
    rows = (
        _PROVIDER.format(dialect=dialect, model=model, upstream=upstream, auth=_AUTH.get(dialect, "bearer"))
        for dialect, model in MODELS.items()
    )
    path.write_text("".join(rows))
    return path


def seed(store: StageTables) -> Account:
    """Create the tables, and a tenant with credits and keys that no limit stops."""
    create_tables(store)
    os.environ.setdefault("AWS_ACCESS_KEY_ID", "local")
    os.environ.setdefault("AWS_SECRET_ACCESS_KEY", "local")
    return asyncio.run(_seed(store.endpoint))


async def _seed(endpoint: str) -> Account:
    database, now = Database(DynamoDB(REGION, endpoint), STAGE), system_clock()
    try:
        tenant = (await create_tenant(database, name="Benchmark", plan=Plan.PRO, now=now)).tenant_id
        await grant(database, tenant=tenant, amount=MicroCredits(CREDITS * CREDIT), operation_id="seed", now=now)
        manager = KeyManager(database, bytes.fromhex(PEPPER))
        policy = KeyPolicy(rpm=REQUESTS_PER_MINUTE)
        live, test = [
            await manager.create(tenant, name=f"bench {mode}", mode=mode, policy=policy, now=now)
            for mode in (Mode.LIVE, Mode.TEST)
        ]
    finally:
        await database.close()
    return Account(tenant, live.secret, test.secret)


def governed(name: str, version: str, port: int, env: dict[str, str], account: Account) -> Gateway:
    """Our gateway on `port`, called with the live key of `account`."""
    options = ("--host", "127.0.0.1", "--port", str(port), "--loop", "uvloop", "--http", "httptools", "--no-access-log")
    return Gateway(
        name=name,
        version=version,
        port=port,
        command=(sys.executable, "-m", "uvicorn", INFERENCE.web_app or "", *options),
        model=MODELS[CHAT],
        headers={"Authorization": f"Bearer {account.live_key}"},
        env=env,
    )
