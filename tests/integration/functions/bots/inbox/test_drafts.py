"""Drafts of replies: real tables, a scripted model."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx2
import pytest
import pytest_asyncio

from callmissed.aws.database import Database
from callmissed.idempotency.requests import HEADER, REPLAYED
from callmissed.plans.plans import Plan
from callmissed.platform.functions.bots import CONVERSATION_DRAFTS
from callmissed.platform.routes import ROUTES
from callmissed.platform.tables import BOTS, OUTBOX
from callmissed_ai.calls.container import create_container
from functions.bots.bots.records import Bot, BotType, to_bot_item
from functions.bots.conversations.records import StoredConversation
from functions.bots.handlers.conversation_drafts import create_server
from functions.bots.inbox import drafts
from functions.bots.sealed_composition import compose_sealed
from local.aws.tables import StageTables
from tests.support.bots.inbox import NOW, Clock, InboxApi, Tenant
from tests.support.faults import FaultyDynamoDB
from tests.support.inference.behaviours import completion, fails, reply
from tests.support.inference.charging import let_time_pass_while_charging
from tests.support.inference.fixtures import accounts, lab, providers_file, store, upstream
from tests.support.inference.gateway import Account, Accounts, settings_for
from tests.support.inference.upstream import Behaviour, FakeUpstream, Gate
from tests.support.webhooks.subscribers import RING, refused

__all__ = ["accounts", "lab", "providers_file", "store", "upstream"]

SERVED = [route for route in ROUTES if route.function == CONVERSATION_DRAFTS.name]
"""A foreign conversation is tested below."""

COST = 11 * 50 + 7 * 150


@dataclass
class Drafting:
    """A conversation whose tenant has credits."""

    tenant: Tenant
    account: Account
    conversation: StoredConversation
    database: Database

    async def draft(self, body: Any = None, **more: Any) -> httpx2.Response:
        return await self.tenant.call("POST", f"/{self.conversation.id}/ai-draft", json=body, **more)

    async def bot(self, prompt: str = "You sell bread.", **config: Any) -> None:
        bot = Bot(self.tenant.id, "bot_1", "Baker", BotType.WHATSAPP, prompt, NOW, NOW, {"model": "lab-chat", **config})
        await self.database.put(BOTS, to_bot_item(bot))


@pytest_asyncio.fixture
async def drafts_api(store: StageTables, providers_file: Path) -> AsyncIterator[InboxApi]:
    settings = replace(settings_for(store, providers_file), sealing_keys=RING[0].hex())
    container = create_container(settings, dynamodb=FaultyDynamoDB(store.endpoint))
    composition = compose_sealed(settings)
    composition.__dict__["database"] = container.database
    yield InboxApi(create_server(composition, container), container.database, Clock())
    await container.close()


@pytest.fixture
async def drafting(drafts_api: InboxApi, accounts: Accounts) -> Drafting:
    account = await accounts.account()
    tenant = Tenant(drafts_api, account.tenant)
    made = Drafting(tenant, account, await tenant.conversation(bot_id="bot_1"), drafts_api.database)
    await made.bot()
    return made


async def test_a_draft_is_the_bots_answer_is_billed_and_is_not_sent(
    drafting: Drafting, accounts: Accounts, upstream: FakeUpstream
) -> None:
    question = await drafting.tenant.message(drafting.conversation, "Do you have bread?")

    answer = await drafting.draft({"instruction": "Offer rolls, too."})

    assert (answer.status_code, answer.json()) == (200, {"draft": "Hello there", "used_default_prompt": False})
    assert await accounts.assert_balanced(drafting.account) == COST
    (entry,) = await accounts.entries(drafting.account.tenant)
    assert entry["reference"] == drafting.conversation.id
    system, *history = upstream.only.body["messages"]
    assert system["content"].startswith("You sell bread.")
    assert "Offer rolls, too." in system["content"]
    assert "Do you have bread?" in history[-1]["content"]
    assert await drafting.tenant.stored(drafting.conversation) == drafting.conversation
    assert question.status == "received"
    outbox = [item async for item in drafting.database.scan(OUTBOX, where={"tenant": drafting.tenant.id})]
    assert outbox == []


async def test_a_draft_follows_up_where_nobody_asked(drafting: Drafting, upstream: FakeUpstream) -> None:
    await drafting.tenant.message(drafting.conversation, "Hello!", author="person:usr_1")

    assert (await drafting.draft()).status_code == 200
    assert [each["role"] for each in upstream.only.body["messages"]][-2:] == ["assistant", "user"]


async def test_without_a_prompt_the_default_is_used(drafting: Drafting, upstream: FakeUpstream) -> None:
    await drafting.bot(prompt=" ")
    await drafting.tenant.message(drafting.conversation)

    assert (await drafting.draft({})).json()["used_default_prompt"] is True


async def test_a_keyed_draft_is_billed_once(drafting: Drafting, accounts: Accounts) -> None:
    await drafting.tenant.message(drafting.conversation)

    first = await drafting.draft({}, headers={HEADER: "once"})
    again = await drafting.draft({}, headers={HEADER: "once"})

    assert again.headers[REPLAYED] == "true"
    assert again.content == first.content
    assert await accounts.assert_balanced(drafting.account) == COST


async def test_a_long_draft_is_clamped(drafting: Drafting, upstream: FakeUpstream) -> None:
    await drafting.tenant.message(drafting.conversation)
    upstream.will(reply(completion("word " * 2000)))

    assert 4000 < len((await drafting.draft()).json()["draft"]) <= 4096


@pytest.mark.parametrize("text", [None, " ", ""])
async def test_without_a_text_there_is_nothing_to_draft(
    drafting: Drafting, accounts: Accounts, text: str | None
) -> None:
    await drafting.tenant.message(drafting.conversation, text)

    refused(await drafting.draft(), 400, "no_messages")
    await accounts.assert_untouched(drafting.account)


@pytest.mark.parametrize("behaviour", [fails(500), fails(400), reply(completion(" "))])
async def test_a_model_that_fails_is_503(
    drafting: Drafting, upstream: FakeUpstream, monkeypatch: pytest.MonkeyPatch, behaviour: Behaviour
) -> None:
    await drafting.tenant.message(drafting.conversation)
    monkeypatch.setattr(upstream, "otherwise", behaviour)

    refused(await drafting.draft(), 503, "ai_failed")


async def test_a_draft_that_is_being_charged_is_waited_for(
    drafting: Drafting, accounts: Accounts, upstream: FakeUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    await drafting.tenant.message(drafting.conversation, "Do you have bread?")
    let_time_pass_while_charging(monkeypatch, drafting.database.dynamodb)

    answer = await drafting.draft()

    assert answer.status_code == 200
    assert len(await accounts.entries(drafting.tenant.id)) == 1


async def test_a_draft_that_takes_too_long_costs_nothing(
    drafting: Drafting, accounts: Accounts, upstream: FakeUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drafts, "MAX_SECONDS", 0.2)
    await drafting.tenant.message(drafting.conversation, "Do you have bread?")
    gate = Gate()
    upstream.will(reply(completion("Too late."), gate=gate))

    refused(await drafting.draft(), 503, "ai_failed")

    gate.open()
    await accounts.assert_untouched(drafting.account)


async def test_a_model_that_is_gone_is_503(drafting: Drafting) -> None:
    await drafting.bot(model="lab-gone")
    await drafting.tenant.message(drafting.conversation)

    refused(await drafting.draft(), 503, "ai_failed")


async def test_what_the_tenant_may_not_spend_is_said(drafts_api: InboxApi, accounts: Accounts) -> None:
    account = await accounts.account(credits=0, plan=Plan.PRO)
    tenant = Tenant(drafts_api, account.tenant)
    poor = Drafting(tenant, account, await tenant.conversation(bot_id="bot_1"), drafts_api.database)
    await poor.bot()
    await tenant.message(poor.conversation)

    refused(await poor.draft(), 402, "insufficient_credits")


async def test_a_test_key_spends_nothing(drafting: Drafting, accounts: Accounts) -> None:
    await drafting.tenant.message(drafting.conversation)

    refused(await drafting.draft(mode="test"), 403, "permission_denied")
    await accounts.assert_untouched(drafting.account)


async def test_a_foreign_conversation_is_drafted_like_none(
    drafting: Drafting, drafts_api: InboxApi, accounts: Accounts
) -> None:
    await drafting.tenant.message(drafting.conversation)
    stranger = await accounts.account()
    foreign = replace(drafting, tenant=Tenant(drafts_api, stranger.tenant))

    refused(await foreign.draft(), 404, "not_found")
    await accounts.assert_untouched(stranger)


@pytest.mark.parametrize("body", [{"instruction": "x" * 1001}, {"instruction": 1}, {"text": "x"}])
async def test_an_invalid_instruction_is_refused(drafting: Drafting, body: dict[str, Any]) -> None:
    await drafting.tenant.message(drafting.conversation)

    refused(await drafting.draft(body), 422, "invalid_request_error")
