"""The API of conversations on real tables: tenants who call it, and the conversations that they have."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import httpx2
from starlette.types import ASGIApp, Receive, Scope, Send

from callmissed.aws.database import Database
from callmissed.clock import MINUTE, SECOND, Micros, iso
from callmissed.events.outbox import Event, event_of
from callmissed.idempotency.operation import Operation
from callmissed.ids import new_id, sortable_id
from callmissed.platform.routes import Role
from callmissed.platform.tables import BOTS, CONVERSATIONS, MESSAGES, OUTBOX, TENANTS
from callmissed.tenants.bots import bot_key
from callmissed.tenants.users import User, user_record
from functions.bots.conversations.messages import MessageState, StoredMessage, StoredTurn, to_message_item, to_turn_item
from functions.bots.conversations.records import (
    EndUser,
    StoredConversation,
    TurnState,
    change_mark,
    conversation_key,
    conversation_of,
    to_conversation_item,
    user_key,
)

NOW = Micros(1_795_599_000 * SECOND)  # 2026-11-25T09:30:00Z
NUMBER = "100200300400501"
PATH = "/api/v1/conversations"


class Clock:
    """A clock that changes only when a test sets it."""

    def __init__(self) -> None:
        self.now: int = NOW

    def __call__(self) -> Micros:
        return Micros(self.now)

    def pass_(self, seconds: int) -> None:
        self.now += seconds * SECOND


@dataclass
class InboxApi:
    """The application on real tables, with its clock."""

    app: ASGIApp
    database: Database
    clock: Clock
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep

    async def pause(self, seconds: float) -> None:
        """What take-overs wait with; a test may replace `sleep`."""
        await self.sleep(seconds)

    def tenant(self) -> "Tenant":
        return Tenant(self, new_id("tnt"))

    def nobody(self) -> httpx2.AsyncClient:
        """A client whom no authorizer let through."""
        return httpx2.AsyncClient(transport=httpx2.ASGITransport(app=self.app), base_url="http://api")


class Tenant:
    """A tenant with conversations, who calls the API with a key or as one of its people."""

    def __init__(self, inbox_api: InboxApi, tenant_id: str) -> None:
        self._api = inbox_api
        self._database = inbox_api.database
        self.id = tenant_id
        self._number = 0

    async def call(
        self,
        method: str,
        path: str = "",
        *,
        base: str = PATH,
        person: str | None = None,
        mode: str = "live",
        **more: Any,
    ) -> httpx2.Response:
        """The answer of `PATH` and `path`, to a key of the `mode` or to a signed-in `person`."""
        transport = httpx2.ASGITransport(app=self._authorized(person, mode))
        async with httpx2.AsyncClient(transport=transport, base_url="http://api") as client:
            return await client.request(method, base + path, **more)

    async def get(self, path: str = "", **query: Any) -> Any:
        """The body of a GET that succeeds."""
        answer = await self.call("GET", path, params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def person(self, *, is_active: bool = True) -> str:
        """A new person of the team; returns the id."""
        user_id = new_id("usr")
        created = iso(NOW)
        user = User(self.id, user_id, f"{user_id}@example.com", "A. Person", Role.AGENT, created, created)
        await self._database.put(TENANTS, user_record(replace(user, is_active=is_active)))
        return user_id

    async def bot(self, name: str = "Orders") -> str:
        """A new bot, of which only the name is known; returns the id."""
        bot_id = new_id("bot")
        await self._database.put(
            BOTS, bot_key(self.id, bot_id) | {"id": bot_id, "name": name, "system_prompt": "Help."}
        )
        return bot_id

    async def conversation(self, *, at: int | None = None, **fields: Any) -> StoredConversation:
        """A new conversation that began `at`, by default now; the end user's latest at the number."""
        created = Micros(self._api.clock.now if at is None else at)
        self._number += 1
        user = EndUser(f"9198{self._number:08d}", f"IN.{self._number:020d}", f"User {self._number}")
        conversation_id = f"conv_{sortable_id(created)}"
        conversation = StoredConversation(
            tenant=self.id,
            id=conversation_id,
            number_id=NUMBER,
            user=user,
            created=created,
            changed=change_mark(created, conversation_id),
            last_activity=created,
            last_inbound_at=created,
        )
        return await self.store(replace(conversation, **fields))

    async def store(self, conversation: StoredConversation) -> StoredConversation:
        """Write the conversation, as the latest of its end user."""
        await self._database.put(CONVERSATIONS, to_conversation_item(conversation))
        for key in conversation.user.keys:
            item = user_key(self.id, conversation.number_id, key) | {"conversation_id": conversation.id}
            await self._database.put(CONVERSATIONS, item)
        return conversation

    async def message(self, conversation: StoredConversation, text: str | None = "hi", **fields: Any) -> StoredMessage:
        """A new message of the conversation, by default of the end user, a second after the one before."""
        self._api.clock.pass_(1)
        now = self._api.clock()
        message_id = fields.pop("id", f"msg_{sortable_id(now)}")
        message = StoredMessage(self.id, conversation.id, message_id, "user", "text", MessageState.RECEIVED, now, text)
        message = replace(message, **fields)
        await self._database.put(MESSAGES, to_message_item(message))
        return message

    async def turn(self, conversation: StoredConversation, state: TurnState, reason: str | None = None) -> StoredTurn:
        """A turn of the conversation."""
        self._api.clock.pass_(1)
        now = self._api.clock()
        turn = StoredTurn(self.id, conversation.id, f"turn_{sortable_id(now)}", "bot_1", state, now, reason)
        await self._database.put(MESSAGES, to_turn_item(turn))
        return turn

    async def stored(self, conversation: StoredConversation) -> StoredConversation:
        """The conversation as it is stored now."""
        return conversation_of(await self._database.get(CONVERSATIONS, conversation_key(self.id, conversation.id)))

    async def events(self) -> Sequence[Event]:
        """The tenant's events in the outbox, oldest first."""
        items = [item async for item in self._database.scan(OUTBOX, where={"tenant": self.id}, consistent=True)]
        return sorted(map(event_of, items), key=lambda event: event.created)

    def _authorized(self, person: str | None, mode: str) -> ASGIApp:
        authorizer = {"tenant": self.id, "key_id": "key_of_tests", "mode": mode}
        if person:
            authorizer = {"tenant": self.id, "user_id": person, "session_id": "ses_1", "role": "agent"}

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            event = {"requestContext": {"authorizer": authorizer}}
            await self._api.app({**scope, "aws.event": event, "state": {"operation": Operation.new()}}, receive, send)

        return app


def later(conversation: StoredConversation, minutes: int) -> dict[str, Any]:
    """Fields of the conversation when it changed `minutes` later."""
    moment = Micros(conversation.created + minutes * MINUTE)
    return {"changed": change_mark(moment, conversation.id), "last_activity": moment}
