"""A tenant whose number gets callbacks of WhatsApp, and the worker that stores what they say."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from callmissed.aws.attributes import Item
from callmissed.aws.database import Database
from callmissed.aws.dynamodb import DynamoDB
from callmissed.aws.queues import Message, QueueUnavailable
from callmissed.clock import SECOND, Micros
from callmissed.platform.queues import CALLBACK_SOURCE, EVENT_SOURCE
from callmissed.platform.tables import BOTS, CONVERSATIONS, MESSAGES
from functions.bots.bots.records import Bot, BotType, to_bot_item
from functions.bots.conversations.messages import MESSAGE, StoredMessage, message_of
from functions.bots.conversations.records import CONVERSATION, StoredConversation, conversation_of
from functions.bots.inbound.worker import InboundWorker
from functions.bots.numbers.records import PhoneNumber, to_number_item
from tests.support.webhooks.callbacks import NOW, WHATSAPP, CallbacksApi, body_of, by_meta, change, whatsapp_credentials

NUMBER = "1066"
PHONE, USER = "919876543210", "IN.13491208655302741918"
BOT = "0192f000-0000-7000-8000-000000000001"


@dataclass
class RecordedJobs:
    """A queue that keeps what it gets, or is down."""

    sent: list[Message] = field(default_factory=list[Message])
    down: bool = False

    async def send(self, messages: Sequence[Message]) -> None:
        if self.down:
            raise QueueUnavailable("down")
        self.sent += messages

    def taken(self) -> list[Message]:
        """The jobs since the last call."""
        taken, self.sent = self.sent, []
        return taken


def queued(items: Sequence[Item], receives: int = 1) -> list[dict[str, Any]]:
    """Messages as the bus puts them into the queue and SQS delivers them."""
    return [
        {
            "messageId": f"message of {item['id']}",
            "body": json.dumps(
                {"source": CALLBACK_SOURCE, "detail-type": item["type"], "detail": {"id": item["id"], "tenant": "x"}}
            ),
            "attributes": {"ApproximateReceiveCount": str(receives)},
        }
        for item in items
    ]


class Inbound:
    """One tenant's number, the function `callbacks`, and the worker on real tables."""

    def __init__(self, dynamodb: DynamoDB, stage: str) -> None:
        self.callbacks = CallbacksApi(dynamodb, stage)
        self.jobs = RecordedJobs()
        self.tenant = ""

    @property
    def database(self) -> Database:
        return self.callbacks.database

    async def connect(self, number: str = NUMBER, *, bot_id: str | None = BOT, **config: Any) -> str:
        """Connect the number, with a bot unless there is none; returns the tenant."""
        self.tenant = await self.callbacks.save(whatsapp_credentials(number), self.tenant or None)
        if bot_id:
            bot = Bot(self.tenant, bot_id, "Help", BotType.WHATSAPP, "Be brief.", NOW, NOW, config=config)
            await self.database.put(BOTS, to_bot_item(bot))
        await self.database.put(BOTS, to_number_item(phone_number(self.tenant, number, bot_id=bot_id)))
        return self.tenant

    def worker(self, database: Database | None = None) -> InboundWorker:
        return InboundWorker(database or self.database, self.jobs, lambda: Micros(self.callbacks.now))

    async def stored_callbacks(self) -> list[Item]:
        return [item for item in await self.callbacks.outbox() if item["source"] == CALLBACK_SOURCE]

    async def post(self, *changes: dict[str, Any]) -> list[Item]:
        """What a callback with `changes` adds to the outbox."""
        before = {item["id"] for item in await self.stored_callbacks()}
        body = body_of(*changes)
        assert (await self.callbacks.post(WHATSAPP, body, by_meta(body))).status == 200
        return [item for item in await self.stored_callbacks() if item["id"] not in before]

    async def receive(self, *messages: dict[str, Any], **value: Any) -> None:
        """Let `messages` arrive and be stored."""
        items = await self.post(change(NUMBER, messages=list(messages), **value))
        assert await self.worker().failures(queued(items)) == []

    async def events(self, kind: str | None = None) -> list[dict[str, Any]]:
        """The published events, in the order of their messages' wamids."""
        found = [json.loads(item["body"]) for item in await self.callbacks.outbox() if item["source"] == EVENT_SOURCE]
        chosen = [event for event in found if kind in (None, event["event"])]
        return sorted(chosen, key=lambda event: json.dumps(event["data"].get("message_id")))

    async def conversations(self) -> list[StoredConversation]:
        items = [item async for item in self.database.scan(CONVERSATIONS) if item["item"].startswith(CONVERSATION)]
        return [conversation_of(item) for item in sorted(items, key=lambda item: item["item"])]

    async def conversation(self) -> StoredConversation:
        (conversation,) = await self.conversations()
        return conversation

    async def messages(self) -> list[StoredMessage]:
        items = [item async for item in self.database.scan(MESSAGES) if item["item"].startswith(MESSAGE)]
        return [message_of(item) for item in sorted(items, key=lambda item: item["item"])]

    def pass_time(self, seconds: float) -> None:
        self.callbacks.now += round(seconds * SECOND)


def phone_number(tenant: str, number_id: str = NUMBER, **fields: Any) -> PhoneNumber:
    """A connected number of `tenant`."""
    known: dict[str, Any] = {
        "tenant": tenant,
        "id": "num_1",
        "account_id": "acc_1",
        "waba_id": "WABA-1",
        "number_id": number_id,
        "display_phone_number": "+91 98765 43210",
        "verified_name": "Shop",
        "token": "sealed",
        "created": NOW,
    }
    return PhoneNumber(**{**known, **fields})
