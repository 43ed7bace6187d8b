"""A tenant that pays without a key: its plan, quotas, budget and credits hold, and nothing of any key."""

import pytest

from callmissed.aws.attributes import to_item
from callmissed.plans.plans import Plan
from callmissed.platform.tables import TENANTS, physical_name
from callmissed_ai.calls.container import Container
from callmissed_ai.calls.payer import TenantPayer
from tests.support.faults import Fault
from tests.support.inference.behaviours import fails
from tests.support.inference.calls import refusal_of, run_chat
from tests.support.inference.gateway import Account, Accounts
from tests.support.inference.process import Process
from tests.support.inference.upstream import FakeUpstream

COST = 11 * 50 + 7 * 150


def payer_of(account: Account) -> TenantPayer:
    return TenantPayer(account.tenant)


async def test_call_is_served_and_charged_without_a_key(
    process: Process, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account = await accounts.account(budget=10**10, rpm=1)

    for _ in range(3):
        await run_chat(process.container, payer_of(account))

    assert await accounts.assert_balanced(account) == 3 * COST
    assert not any("key_id" in entry["usage"] for entry in await accounts.entries(account.tenant))
    key = await accounts.key_item(account.secret)
    assert (key["kb"], key["tat"]) == (10**10, 0)
    assert process.dynamodb.sent == {"GetItem": 3, "UpdateItem": 6, "PutItem": 3}


async def test_failed_call_gives_everything_back(
    container: Container, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account = await accounts.account()
    upstream.will(fails(400))

    assert await refusal_of(container, payer_of(account)) == (400, "invalid_request_error")

    await accounts.assert_untouched(account)


async def test_revoked_key_does_not_stop_its_tenant(
    container: Container, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account = await accounts.account()
    await accounts.keys.revoke(account.tenant, account.key_id)

    await run_chat(container, payer_of(account))

    assert await accounts.assert_balanced(account) == COST


async def test_quota_of_the_plan_holds(container: Container, accounts: Accounts, upstream: FakeUpstream) -> None:
    account = await accounts.account(plan=Plan.FREE)
    await accounts.change_wallet(account.tenant, q_llm=1)

    _, call = await run_chat(container, payer_of(account), model="lab-free")

    assert call.wallet is not None
    assert call.wallet.quota_left == 0
    assert await refusal_of(container, payer_of(account), model="lab-free") == (429, "quota_exceeded")


async def test_models_of_the_plan_hold_and_a_new_plan_holds_from_the_next_call_on(
    container: Container, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account = await accounts.account(plan=Plan.FREE)
    assert await refusal_of(container, payer_of(account)) == (403, "model_not_available")

    await change_plan(accounts, account, Plan.PRO)

    await run_chat(container, payer_of(account))
    assert await accounts.assert_balanced(account) == COST


async def change_plan(accounts: Accounts, account: Account, plan: Plan) -> None:
    request = {
        "TableName": physical_name(accounts.stage, TENANTS),
        "Key": to_item({"tenant": account.tenant, "item": "TENANT"}),
        "UpdateExpression": "SET #plan = :plan",
        "ConditionExpression": "attribute_exists(#plan)",
        "ExpressionAttributeNames": {"#plan": "plan"},
        "ExpressionAttributeValues": to_item({":plan": str(plan)}),
    }
    await accounts.dynamodb.call("UpdateItem", request)


async def test_suspended_tenant_is_refused(container: Container, accounts: Accounts, upstream: FakeUpstream) -> None:
    account = await accounts.account()
    await accounts.change_wallet(account.tenant, st="suspended")

    assert await refusal_of(container, payer_of(account)) == (403, "account_inactive")
    assert upstream.requests == []


async def test_unknown_tenant_is_refused(container: Container) -> None:
    assert await refusal_of(container, TenantPayer("tnt_unknown")) == (403, "account_inactive")


async def test_wallet_shortens_a_reply_without_a_limit(
    container: Container, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account = await accounts.account(credits=1)

    await run_chat(container, payer_of(account))

    assert upstream.only.body["max_tokens"] < 16_384
    assert await refusal_of(container, payer_of(account), max_tokens=16_000) == (402, "insufficient_credits")


async def test_budget_of_the_tenant_holds(container: Container, accounts: Accounts) -> None:
    account = await accounts.account()
    await accounts.change_wallet(account.tenant, bud=10, bl=10)

    assert await refusal_of(container, payer_of(account)) == (402, "budget_exceeded")


async def test_large_tenant_pays_from_any_shard_of_its_wallet(
    container: Container, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account = await accounts.account(plan=Plan.ENTERPRISE)

    holds = [(await run_chat(container, payer_of(account)))[1].hold for _ in range(12)]

    assert len({hold.shard for hold in holds if hold}) > 1
    assert sum(entry["amount"] for entry in await accounts.entries(account.tenant)) == 12 * COST


@pytest.mark.parametrize("calls_before", [0, 1], ids=["read", "hold"])
async def test_dynamodb_that_does_not_answer_is_503(process: Process, accounts: Accounts, calls_before: int) -> None:
    account = await accounts.account()
    process.dynamodb.faults.extend([None] * calls_before + [Fault.THROTTLE] * 10)

    assert await refusal_of(process.container, payer_of(account)) == (503, "service_unavailable")

    process.dynamodb.forget()
    await accounts.assert_untouched(account)
