"""The budget over HTTP on DynamoDB Local: it holds from the next call on, over all shards."""

import json
from typing import Any

import pytest

from callmissed.errors import ApiError
from callmissed.ids import new_call_id
from callmissed.ledger.grants import grant
from callmissed.ledger.holds import Ledger
from callmissed.money import CREDIT, MicroCredits
from callmissed.plans.plans import Plan
from callmissed.platform.routes import Role
from callmissed.platform.tables import AUDIT
from tests.support.people import SignedIn, new_member, new_tenant
from tests.support.whole_product import Reply, Sent, WholeProduct

_PATH = "/api/v1/credits/budget"
SHARDS = 8


async def put(person: SignedIn, **body: Any) -> Reply:
    return await person.call("PUT", _PATH, body)


async def changed(person: SignedIn, **body: Any) -> Any:
    reply = await put(person, **body)
    assert reply.status == 200, reply.body
    return json.loads(reply.body)


async def test_budget_is_null_until_it_is_set(owner: SignedIn) -> None:
    nothing = json.loads((await owner.call("GET", _PATH)).body)
    assert (nothing["monthly_budget_credits"], nothing["remaining_credits"]) == (None, None)
    assert (nothing["period_used_credits"], nothing["alerts_enabled"]) == (0.0, True)
    assert nothing["low_credits_threshold"] is None

    made = await changed(owner, monthly_budget_credits=12.345678, alerts_enabled=False, low_credits_threshold=50)
    assert (made["monthly_budget_credits"], made["remaining_credits"]) == (12.345678, 12.345678)
    assert (made["alerts_enabled"], made["low_credits_threshold"]) == (False, 50)
    agent = await new_member(owner, Role.AGENT)
    assert json.loads((await agent.call("GET", _PATH)).body) == made

    again = await changed(owner, monthly_budget_credits=None)
    assert again == nothing
    events = [item async for item in owner.product.database.query(AUDIT, owner.tenant)]
    assert [event["action"] for event in events] == ["budget.update"] * 2
    assert events[0]["metadata"]["after"] == events[1]["metadata"]["before"]
    assert events[0]["metadata"]["after"]["monthly_budget_credits"] == "12.345678"


@pytest.mark.parametrize("plan", [Plan.PRO, Plan.ENTERPRISE])
async def test_next_hold_of_every_shard_meets_the_budget(product: WholeProduct, plan: Plan) -> None:
    owner = await new_tenant(product, plan=plan)
    now, ledger = product.clock(), Ledger(product.database)
    shards = SHARDS if plan is Plan.ENTERPRISE else 1
    amount = MicroCredits(1000 * CREDIT)
    await grant(product.database, tenant=owner.tenant, amount=amount, operation_id="first", now=now)

    async def hold(shard: int, credits: int) -> None:
        call_id = new_call_id(now, 20)[:-1] + "01234567"[shard]
        await ledger.hold(owner.tenant, call_id, "llm", MicroCredits(credits * CREDIT), shards=shards)

    for shard in range(shards):
        await hold(shard, 1)
    made = await changed(owner, monthly_budget_credits=shards + 3)
    assert made["remaining_credits"] == 3.0
    await hold(0, 2)
    for budget in (shards + 2, 0):  # nothing left; below what is in use
        made = await changed(owner, monthly_budget_credits=budget)
        assert made["remaining_credits"] == 0.0
        for shard in range(shards):
            with pytest.raises(ApiError) as refusal:
                await hold(shard, 1)
            assert (refusal.value.status, refusal.value.code) == (402, "budget_exceeded")
    await changed(owner, monthly_budget_credits=None)
    for shard in range(shards):
        await hold(shard, 1)


@pytest.mark.parametrize(
    "budget",
    ["NaN", "Infinity", "-1", "-0.000001", "1.1234567", "10000000.000001", '"5"', "true", "1e400"],
)
async def test_budget_that_can_not_be_is_refused(owner: SignedIn, budget: str) -> None:
    headers = {"Authorization": f"Bearer {owner.tokens.access}", "Content-Type": "application/json"}
    sent = Sent("PUT", _PATH, tuple(headers.items()), f'{{"monthly_budget_credits":{budget}}}'.encode())
    reply = await owner.product.through_local_gateway(sent)
    assert (reply.status, reply.error["code"]) == (422, "invalid_request_error"), reply.body


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"monthly_budget_credits": 1, "alerts_enabled": "no"},
        {"monthly_budget_credits": 1, "low_credits_threshold": -1},
        {"monthly_budget_credits": 1, "low_credits_threshold": True},
        {"monthly_budget_credits": 1, "more": 1},
    ],
)
async def test_bad_body_is_refused(owner: SignedIn, body: dict[str, Any]) -> None:
    assert (await put(owner, **body)).status == 422


async def test_budget_bounds(owner: SignedIn) -> None:
    assert (await changed(owner, monthly_budget_credits=10_000_000))["remaining_credits"] == 10_000_000.0
    assert (await changed(owner, monthly_budget_credits=0))["remaining_credits"] == 0.0
    assert (await changed(owner, monthly_budget_credits=0.000001))["monthly_budget_credits"] == 0.000001


async def test_agent_may_not_set_it(owner: SignedIn) -> None:
    agent = await new_member(owner, Role.AGENT)
    assert (await put(agent, monthly_budget_credits=1)).status == 403
