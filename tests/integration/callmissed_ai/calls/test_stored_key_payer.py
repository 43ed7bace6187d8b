"""A key that is named instead of shown: whatever holds for its secret's calls holds for these."""

import json
from dataclasses import replace

import pytest

from callmissed.clock import MINUTE, system_clock
from callmissed.keys.secret import Mode
from callmissed_ai.calls.container import Container
from callmissed_ai.calls.payer import StoredKeyPayer
from tests.support.faults import Fault
from tests.support.inference.behaviours import fails
from tests.support.inference.calls import refusal_of, run_chat
from tests.support.inference.gateway import Account, Accounts
from tests.support.inference.process import Process
from tests.support.inference.upstream import FakeUpstream

BUDGET = 10**10
COST = 11 * 50 + 7 * 150


def payer_of(account: Account) -> StoredKeyPayer:
    return StoredKeyPayer(account.tenant, account.key_id)


async def test_call_is_served_and_charged_to_wallet_and_key(
    container: Container, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account = await accounts.account(budget=BUDGET)

    body, call = await run_chat(container, payer_of(account))

    assert json.loads(body)["choices"][0]["message"]["content"] == "Hello there"
    entry = await accounts.entry(account.tenant)
    assert (entry["entry"], entry["usage"]["key_id"]) == (call.id, account.key_id)
    assert entry["amount"] == await accounts.assert_balanced(account) == COST
    assert (await accounts.key_item(account.secret))["kb"] == BUDGET - COST


async def test_failed_call_gives_wallet_and_key_everything_back(
    container: Container, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account = await accounts.account(budget=BUDGET)
    upstream.will(fails(400))

    assert await refusal_of(container, payer_of(account)) == (400, "invalid_request_error")

    await accounts.assert_untouched(account)
    assert (await accounts.key_item(account.secret))["kb"] == BUDGET


async def test_revoked_key_is_refused_from_its_next_call_on(
    container: Container, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account = await accounts.account()
    await run_chat(container, payer_of(account))
    await accounts.keys.revoke(account.tenant, account.key_id)

    assert await refusal_of(container, payer_of(account)) == (401, "invalid_api_key")
    assert len(upstream.requests) == 1


async def test_key_of_another_tenant_is_unknown(container: Container, accounts: Accounts) -> None:
    account, other = await accounts.account(), await accounts.account()

    assert await refusal_of(container, StoredKeyPayer(other.tenant, account.key_id)) == (401, "invalid_api_key")
    await accounts.assert_untouched(account)


async def test_expired_key_is_refused(container: Container, accounts: Accounts) -> None:
    expiry = system_clock() + MINUTE
    account = await accounts.account(expires=expiry)
    later = replace(container, clock=lambda: expiry + 1)

    assert await refusal_of(later, payer_of(account)) == (401, "invalid_api_key")


async def test_rotated_key_pays_with_its_newest_secret(
    container: Container, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account = await accounts.account(budget=BUDGET)
    rotated = await accounts.keys.rotate(account.tenant, account.key_id, overlap_minutes=0, now=system_clock())

    await run_chat(container, payer_of(account))

    assert (await accounts.key_item(rotated.secret))["kb"] == BUDGET - COST
    assert await accounts.assert_balanced(account) == COST


async def test_key_that_is_rotated_between_read_and_write_is_looked_up_again(
    process: Process, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account = await accounts.account()

    async def rotate() -> None:
        await accounts.keys.rotate(account.tenant, account.key_id, overlap_minutes=0, now=system_clock())

    process.dynamodb.before("UpdateItem", rotate)

    await run_chat(process.container, payer_of(account))

    assert await accounts.assert_balanced(account) == COST


async def test_key_that_keeps_being_rotated_is_refused_for_now(process: Process, accounts: Accounts) -> None:
    account = await accounts.account()

    async def rotate() -> None:
        await accounts.keys.rotate(account.tenant, account.key_id, overlap_minutes=0, now=system_clock())

    process.dynamodb.before("UpdateItem", *[rotate] * 4)

    assert await refusal_of(process.container, payer_of(account)) == (503, "service_unavailable")
    await accounts.assert_untouched(account)


async def test_rate_holds(container: Container, accounts: Accounts, upstream: FakeUpstream) -> None:
    account = await accounts.account(rpm=1)
    await run_chat(container, payer_of(account))

    assert await refusal_of(container, payer_of(account)) == (429, "rate_limit_exceeded")
    assert len(upstream.requests) == 1


async def test_budget_holds_and_shortens_a_reply_without_a_limit(
    container: Container, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account = await accounts.account(budget=1_000_000)

    await run_chat(container, payer_of(account))
    assert upstream.only.body["max_tokens"] < 16_384

    assert await refusal_of(container, payer_of(account), max_tokens=16_000) == (402, "budget_exceeded")
    assert await accounts.assert_balanced(account) == COST


async def test_permission_holds_and_the_budget_comes_back(container: Container, accounts: Accounts) -> None:
    account = await accounts.account(permissions=frozenset({"stt"}), budget=BUDGET)

    assert await refusal_of(container, payer_of(account)) == (403, "permission_denied")
    await accounts.assert_untouched(account)
    assert (await accounts.key_item(account.secret))["kb"] == BUDGET


async def test_allowed_models_hold(container: Container, accounts: Accounts) -> None:
    account = await accounts.account(models=frozenset({"lab-free"}))

    assert await refusal_of(container, payer_of(account)) == (403, "model_not_allowed")


async def test_domain_lock_does_not_hold_because_no_page_calls(
    container: Container, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account = await accounts.account(domains=frozenset({"example.com"}))

    await run_chat(container, payer_of(account))

    assert await accounts.assert_balanced(account) == COST


async def test_test_key_is_sandboxed_and_costs_nothing(
    container: Container, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account = await accounts.account(mode=Mode.TEST, budget=0)

    body, call = await run_chat(container, payer_of(account))

    assert b"CallMissed sandbox" in body
    assert call.hold is None
    assert (await accounts.entry(account.tenant))["sandbox"] is True
    assert upstream.requests == []


async def test_suspended_tenant_is_refused(container: Container, accounts: Accounts) -> None:
    account = await accounts.account()
    await accounts.change_wallet(account.tenant, st="suspended")

    assert await refusal_of(container, payer_of(account)) == (403, "account_inactive")


@pytest.mark.parametrize("calls_before", [0, 1], ids=["read", "write"])
async def test_dynamodb_that_does_not_answer_is_503(process: Process, accounts: Accounts, calls_before: int) -> None:
    account = await accounts.account()
    process.dynamodb.faults.extend([None] * calls_before + [Fault.LOSE_REQUEST] * 5)

    assert await refusal_of(process.container, payer_of(account)) == (503, "service_unavailable")

    process.dynamodb.forget()
    await accounts.assert_untouched(account)
