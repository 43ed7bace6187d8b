"""Calls keep the price that they were held at: an import changes neither open calls nor entries."""

import json
from typing import Any

import pytest

from callmissed.ledger.entries import EntryType, LedgerEntry
from callmissed.ledger.queries import newest_entries
from local.aws.tables import StageTables
from tests.support.billing.price_importer import PriceImporter
from tests.support.faults import FaultyDynamoDB, tables_in
from tests.support.operators import Operator
from tests.support.people import SignedIn, new_tenant
from tests.support.sign_in import settings_of
from tests.support.whole_product import Sent, WholeProduct

CHEAP = """
[[models]]
id = "lab-chat"
provider = "sandbox"
upstream_id = "sandbox"
input = 10
output = 20
context_window = 128000
"""
DEAR = CHEAP.replace("= 10", "= 30").replace("= 20", "= 70")


@pytest.fixture
async def caller(importer: PriceImporter) -> SignedIn:
    """The owner of a tenant with credits."""
    owner = await new_tenant(importer.product)
    path = f"/api/v1/admin/tenants/{owner.tenant}/credits"
    body = {"credits": "100", "operation_id": "first", "reason": "tests"}
    assert (await Operator().call(importer.product, "POST", path, body)).status == 200
    return owner


async def chat(product: WholeProduct, secret: str) -> None:
    """One call of the model."""
    body: Any = {"model": "lab-chat", "messages": [{"role": "user", "content": "Hello"}]}
    headers = [("Authorization", f"Bearer {secret}"), ("Content-Type", "application/json")]
    reply = await product.through_local_gateway(
        Sent("POST", "/v1/chat/completions", headers, json.dumps(body).encode())
    )
    assert reply.status == 200, reply.body


async def calls_of(product: WholeProduct, tenant: str) -> list[LedgerEntry]:
    """The tenant's billed calls, the oldest first."""
    found = await newest_entries(product.database, tenant, limit=100)
    return [entry for entry in reversed(found) if entry.type is EntryType.DEDUCTION]


def prices_of(entry: LedgerEntry) -> set[tuple[str, int]]:
    assert entry.usage
    return {(line.unit, line.price) for line in entry.usage.lines}


async def test_import_changes_neither_open_calls_nor_entries(
    importer: PriceImporter, dynamodb: FaultyDynamoDB, tables: StageTables, caller: SignedIn
) -> None:
    await importer.imported(CHEAP)
    settings = settings_of(tables, providers_file=str(importer.file))
    made = await caller.call("POST", "/api/v1/keys", {"name": "server"})
    secret = json.loads(made.body)["key"]
    ledger = f"callmissed-{tables.stage}-ledger"
    running = WholeProduct(settings, dynamodb=dynamodb)
    await chat(running, secret)
    [first] = await calls_of(running, caller.tenant)

    dynamodb.before("PutItem", lambda: importer.imported(DEAR), matching=lambda each: ledger in tables_in(each))
    await chat(running, secret)
    started = WholeProduct(settings, dynamodb=dynamodb)
    await chat(started, secret)

    assert dynamodb.pending == 0
    before, open_call, after = await calls_of(started, caller.tenant)
    assert before == first
    assert prices_of(before) == prices_of(open_call) == {("input_tokens", 10_000_000), ("output_tokens", 20_000_000)}
    assert prices_of(after) == {("input_tokens", 30_000_000), ("output_tokens", 70_000_000)}
