"""POST /v1/responses/compact: passed to upstreams of the responses dialect, billed by what they report."""

from typing import Any

import httpx2
import pytest

from callmissed.keys.secret import Mode
from tests.support.inference.behaviours import fails, reply
from tests.support.inference.gateway import Accounts
from tests.support.inference.responses import USAGE, response
from tests.support.inference.upstream import FakeUpstream
from tests.support.inference.wire import RESPONSES, refused, respond

COMPACT = f"{RESPONSES}/compact"
HELLO = {"type": "message", "role": "user", "content": "Hello"}
COMPACTED: dict[str, Any] = {"type": "compaction", "id": "cmp_1", "encrypted_content": "gAAA"}
COMPACTION: dict[str, Any] = {
    "id": "resp_upstream",
    "object": "response.compaction",
    "created_at": 1,
    "output": [{**HELLO, "id": "msg_1", "status": "completed"}, COMPACTED],
    "usage": USAGE,
}
REPORTED = 11 * 50 + 7 * 150


async def compact(client: httpx2.AsyncClient, headers: dict[str, str], **fields: Any) -> httpx2.Response:
    return await client.post(COMPACT, json={"model": "gpt-chat", "input": "Hello", **fields}, headers=headers)


async def test_a_compaction_passes_and_is_billed(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account = await accounts.account()
    upstream.will(reply(COMPACTION))

    answer = await compact(client, account.headers, instructions="Keep names.")

    assert answer.status_code == 200, answer.text
    assert answer.json() | {"id": ""} == COMPACTION | {"id": ""}
    assert answer.json()["id"] != COMPACTION["id"]
    assert upstream.only.path == "/gpt/v1/responses/compact"
    assert upstream.only.body == {"model": "upstream-gpt-chat", "input": "Hello", "instructions": "Keep names."}
    assert await accounts.assert_balanced(account) == REPORTED
    refused(await client.get(f"{RESPONSES}/{answer.json()['id']}", headers=account.headers), 404, "response_not_found")


async def test_a_stored_conversation_is_compacted_and_goes_on(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account = await accounts.account()
    upstream.will(reply(response()))
    first = (await respond(client, account, model="gpt-chat")).json()
    upstream.will(reply(COMPACTION))

    compacted = (await compact(client, account.headers, input=None, previous_response_id=first["id"])).json()

    assert upstream.requests[-1].body["input"] == [HELLO, *first["output"]]
    upstream.will(reply(response()))
    given = [*compacted["output"], {"role": "user", "content": "And?"}]
    assert (await respond(client, account, model="gpt-chat", input=given)).status_code == 200
    assert COMPACTED in upstream.requests[-1].body["input"]


async def test_a_compacted_conversation_is_for_its_own_dialect(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account = await accounts.account()

    answer = await respond(client, account, input=[COMPACTED, HELLO])

    assert refused(answer, 400, "unsupported_field")["param"].startswith("input.0")
    await accounts.assert_untouched(account)


@pytest.mark.parametrize("model", ["lab-chat", "claude-chat"])
async def test_models_of_other_dialects_compact_nothing(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream, model: str
) -> None:
    account = await accounts.account()

    refused(await compact(client, account.headers, model=model), 400, "unsupported_model", param="model")

    await accounts.assert_untouched(account)


async def test_the_sandbox_compacts_nothing(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account = await accounts.account(mode=Mode.TEST)

    refused(await compact(client, account.headers), 400, "unsupported_model", param="model")

    assert upstream.requests == []


@pytest.mark.parametrize("field", ["stream", "tools", "store", "max_output_tokens", "unheard_of"])
async def test_fields_of_responses_that_a_compaction_has_not_are_named(
    client: httpx2.AsyncClient, accounts: Accounts, field: str
) -> None:
    account = await accounts.account()

    refused(await compact(client, account.headers, **{field: True}), 400, "unsupported_field", param=field)


async def test_a_compaction_with_an_idempotency_key_runs_once(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account = await accounts.account()
    upstream.will(reply(COMPACTION))
    headers = {**account.headers, "Idempotency-Key": "compact"}

    first, again = await compact(client, headers), await compact(client, headers)

    assert (again.content, again.headers["idempotent-replayed"]) == (first.content, "true")
    assert await accounts.assert_balanced(account) == REPORTED


async def test_a_reply_that_is_no_compaction_costs_nothing(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account = await accounts.account()
    upstream.will(reply(response()))

    refused(await compact(client, account.headers), 502, "upstream_error")

    assert await accounts.assert_balanced(account) == 0


async def test_an_upstreams_refusal_is_the_callers(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account = await accounts.account()
    upstream.will(fails(400))

    assert (await compact(client, account.headers)).status_code == 400

    assert await accounts.assert_balanced(account) == 0


async def test_a_compaction_without_usage_is_counted(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account = await accounts.account()
    upstream.will(reply({name: value for name, value in COMPACTION.items() if name != "usage"}))

    assert (await compact(client, account.headers)).status_code == 200

    assert (await accounts.entry(account.tenant))["usage"]["estimated"]
    assert await accounts.assert_balanced(account) > 0


async def test_a_compaction_is_not_made_shorter_for_an_empty_wallet(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account = await accounts.account(credits=0.01)

    refused(await compact(client, account.headers), 402, "insufficient_credits")

    assert upstream.requests == []
