"""Drafts: what the bot would answer, for a person who decides what to send. A draft is billed, and never sent."""

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from callmissed.errors import ApiError, invalid_request
from callmissed.idempotency.operation import Operation
from callmissed.idempotency.store import Replay
from callmissed_ai.answers.whole import whole
from callmissed_ai.calls.call import new_call
from callmissed_ai.calls.container import Container
from callmissed_ai.calls.idempotency import IdempotentCall
from callmissed_ai.calls.payer import TenantPayer
from callmissed_ai.calls.pipeline import run
from callmissed_ai.calls.time_limit import within
from callmissed_ai.services import chat
from functions.bots.bots.config import BotConfig
from functions.bots.bots.prompt import chat_body
from functions.bots.bots.repository import BotRepository
from functions.bots.channels.whatsapp.text_parts import text_parts
from functions.bots.conversations.records import StoredConversation
from functions.bots.conversations.transcript import Transcript, has_text
from functions.bots.inbox.service import Inbox

MAX_SECONDS = 24.0
"""Time for the model: API Gateway ends a request after 29 seconds."""

LOCK_SECONDS = 40
DEFAULT_PROMPT = "You answer the messages of a business's customers: briefly, politely, and only what you know."
"""Prompt where no bot with a prompt answers the number."""

_REFUSED = frozenset({402, 403, 409, 429})
"""Statuses of refusals that the caller can do something about."""


@dataclass(frozen=True, slots=True)
class ReplyDraft:
    """A suggested reply. `used_default_prompt` says that no bot's prompt was there."""

    text: str
    used_default_prompt: bool


class Drafts:
    """Writes drafts in the name of tenants."""

    def __init__(self, inbox: Inbox, container: Container) -> None:
        self._inbox = inbox
        self._container = container
        self._bots = BotRepository(container.database)

    async def write(
        self, tenant: str, conversation_id: str, instruction: str | None, operation: Operation
    ) -> ReplyDraft:
        """A draft that follows the `instruction`; the same `operation` is billed once.

        Raises ApiError 400 without a text to answer, 402, 403 or 429 for what the tenant may not spend, 404, 503.
        """
        conversation = await self._inbox.get(tenant, conversation_id)
        transcript = await Transcript.read(self._container.database, conversation)
        if not any(map(has_text, transcript.messages)):
            raise invalid_request("The conversation has no text to answer.", code="no_messages")
        prompt, config = await self._prompt(conversation)
        body = chat_body(prompt or DEFAULT_PROMPT, config, conversation.user, transcript.ordered)
        text = await self._reply(conversation, _for_a_person(body, instruction), operation)
        return ReplyDraft(text_parts(text)[0], used_default_prompt=not prompt)

    async def _prompt(self, conversation: StoredConversation) -> tuple[str, BotConfig]:
        """The prompt and the configuration of the conversation's bot; an empty prompt where it has none."""
        bot_id = conversation.bot_id
        bot = await self._bots.get(conversation.tenant, bot_id) if bot_id else None
        return (bot.system_prompt.strip(), BotConfig.of(bot.config)) if bot else ("", BotConfig.of(None))

    async def _reply(self, conversation: StoredConversation, body: dict[str, Any], operation: Operation) -> str:
        try:
            return _text_of(await self._asked(conversation, body, operation))
        except TimeoutError:
            raise _ai_failed() from None
        except ApiError as refused:
            if refused.status in _REFUSED:
                raise
            raise _ai_failed() from refused

    async def _asked(self, conversation: StoredConversation, body: dict[str, Any], operation: Operation) -> bytes:
        """The reply's body. The key has spaces, which no caller's Idempotency-Key can have."""
        container, key = self._container, f"draft {conversation.id} {operation.id}"
        catalog = await container.router.catalog_for(body)
        size = len(json.dumps(body, ensure_ascii=False).encode(errors="surrogatepass"))
        work = container.router.prepared(chat.parse("openai_chat", catalog, body, size))
        call = new_call(container.clock, conversation.id)
        fingerprint = hashlib.sha256(key.encode()).hexdigest()
        call.idempotent = IdempotentCall(container.idempotency, key, fingerprint, LOCK_SECONDS)
        answer = await within(MAX_SECONDS, call, run(container, call, TenantPayer(conversation.tenant), work, whole))
        return answer.body if isinstance(answer, Replay) else answer


def _for_a_person(body: dict[str, Any], instruction: str | None) -> dict[str, Any]:
    """`body`, whose reply a person reads before it is sent, and whose last message is the end user's role."""
    system, *history = body["messages"]
    wish = f"\n\nA colleague asks for this reply to be drafted so: {instruction}" if instruction else ""
    more = [{"role": "user", "content": "(No new message: draft a follow-up.)"}]
    asked = history if history and history[-1]["role"] == "user" else [*history, *more]
    return {**body, "messages": [{**system, "content": system["content"] + wish}, *asked]}


def _text_of(body: bytes) -> str:
    """The text of a chat completion. Raises ApiError 503 for an empty one."""
    completion: dict[str, Any] = json.loads(body)
    choices: list[dict[str, Any]] = completion.get("choices") or [{}]
    message: dict[str, Any] = choices[0].get("message") or {}
    text = message.get("content") or message.get("refusal")
    if not isinstance(text, str) or not text.strip():
        raise _ai_failed()
    return text.strip()


def _ai_failed() -> ApiError:
    """503: no model gave a reply; nothing was sent."""
    return ApiError(503, "ai_failed", "The model gave no reply. Please retry.", headers={"Retry-After": "1"})
