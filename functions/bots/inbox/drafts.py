"""Drafts: what the bot would answer, for a person who decides what to send. A draft is billed, and never sent."""

from dataclasses import dataclass
from typing import Any

from callmissed.errors import ApiError, invalid_request
from callmissed.idempotency.operation import Operation
from callmissed_ai.calls.container import Container
from functions.bots.bots.asking import AskingLimits, ask
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
        limits, key = AskingLimits(MAX_SECONDS, LOCK_SECONDS), f"draft {conversation.id} {operation.id}"
        try:
            reply = await ask(self._container, conversation.tenant, body, limits, key=key, reference=conversation.id)
        except TimeoutError:
            raise _ai_failed() from None
        except ApiError as refused:
            if refused.status in _REFUSED:
                raise
            raise _ai_failed() from refused
        if reply is None:
            raise _ai_failed()
        return reply.text


def _for_a_person(body: dict[str, Any], instruction: str | None) -> dict[str, Any]:
    """`body`, whose reply a person reads before it is sent, and whose last message is the end user's role."""
    system, *history = body["messages"]
    wish = f"\n\nA colleague asks for this reply to be drafted so: {instruction}" if instruction else ""
    more = [{"role": "user", "content": "(No new message: draft a follow-up.)"}]
    asked = history if history and history[-1]["role"] == "user" else [*history, *more]
    return {**body, "messages": [{**system, "content": system["content"] + wish}, *asked]}


def _ai_failed() -> ApiError:
    """503: no model gave a reply; nothing was sent."""
    return ApiError(503, "ai_failed", "The model gave no reply. Please retry.", headers={"Retry-After": "1"})
