"""The pipeline where no HTTP request shows it: settlements that come too late, and calls in a row."""

import json
from dataclasses import replace

import pytest

from callmissed.aws.dynamodb import Unavailable
from callmissed.errors import ApiError
from callmissed.money import CREDIT
from callmissed_ai.answers.whole import whole
from callmissed_ai.calls import pipeline
from callmissed_ai.calls.call import new_call
from callmissed_ai.calls.container import Container
from callmissed_ai.calls.payer import KeyPayer
from callmissed_ai.calls.pipeline import run
from callmissed_ai.calls.served import Served
from callmissed_ai.services.search import work as search
from tests.support.inference.calls import chat_work, run_chat
from tests.support.inference.gateway import Accounts
from tests.support.inference.upstream import FakeUpstream
from tests.support.inference.wire import SOUGHT


async def test_call_that_is_settled_after_its_hold_was_swept_is_not_charged(
    container: Container, accounts: Accounts, upstream: FakeUpstream, capsys: pytest.CaptureFixture[str]
) -> None:
    account = await accounts.account()

    async def swept_first(served: Served) -> bytes:
        await accounts.sweep()
        return await whole(served)

    body, _ = await run_chat(container, KeyPayer(account.secret), swept_first)

    assert body
    assert (await accounts.entry(account.tenant))["type"] == "void"
    assert await accounts.assert_balanced(account) == 0
    assert '"SettledAfterVoid":[1.0]' in capsys.readouterr().out


async def test_lines_of_a_batch_are_calls_of_their_own(
    container: Container, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account = await accounts.account()
    payer = KeyPayer(account.secret)

    bodies = [await run(container, new_call(container.clock), payer, chat_work(container), whole) for _ in range(3)]

    assert len(bodies) == len(await accounts.entries(account.tenant)) == 3
    assert await accounts.assert_balanced(account) == 3 * (11 * 50 + 7 * 150)


async def test_key_gets_nothing_back_for_a_hold_that_the_sweep_may_give_back(
    container: Container, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account = await accounts.account(budget=10**9)
    left: list[int] = []

    async def closed_for_another_attempt(served: Served) -> bytes:
        call = served.call
        assert call.charge and call.hold
        call.charge.contested = True
        late = replace(call.hold, attempt=call.hold.attempt + 1)
        await container.ledger.close(account.tenant, call.id, container.clock(), "swept", late)
        left.append((await accounts.key_item(account.secret))["kb"])
        raise ApiError(503, "provider_error", "No.")

    with pytest.raises(ApiError):
        await run_chat(container, KeyPayer(account.secret), closed_for_another_attempt)

    assert (await accounts.key_item(account.secret))["kb"] == left[0] < 10**9


async def test_search_has_the_usual_order_where_the_tenants_own_can_not_be_read(
    container: Container, accounts: Accounts, upstream: FakeUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = await accounts.account()
    asked: list[str] = []

    async def unavailable(_database: object, tenant: str) -> None:
        asked.append(tenant)
        raise Unavailable("no answer", indeterminate=False)

    monkeypatch.setattr(pipeline, "get_tenant", unavailable)
    work = container.router.prepared(search.parse(container.catalog, SOUGHT, len(json.dumps(SOUGHT))))

    body = await run(container, new_call(container.clock), KeyPayer(account.secret), work, whole)

    assert isinstance(body, bytes)
    assert json.loads(body)["provider"] == "google"
    assert asked == [account.tenant]
    assert await accounts.assert_balanced(account) == CREDIT
