"""Tenants with a WhatsApp number at the stand-in for Graph, and what sends for them."""

import itertools
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import uuid4

from callmissed.aws.database import Database
from callmissed.aws.dynamodb import DynamoDB
from callmissed.aws.queues import Message, QueueUnavailable
from callmissed.clock import MINUTE, SECOND, Micros
from callmissed.http.client import SafeClient
from callmissed.ids import new_id
from callmissed.platform.tables import BOTS, CONVERSATIONS, MESSAGES, OUTBOX
from callmissed.sealing import Sealer
from functions.bots.channels.whatsapp.graph import GraphClient
from functions.bots.channels.whatsapp.payloads import text_content
from functions.bots.conversations.messages import MessageState, StoredMessage, message_of, outbound_id, to_message_item
from functions.bots.conversations.records import (
    EndUser,
    Lease,
    StoredConversation,
    change_mark,
    conversation_of,
    to_conversation_item,
    user_key,
)
from functions.bots.numbers.records import PhoneNumber, number_of, to_number_item
from functions.bots.outbound.attempts import SendAttempts
from functions.bots.outbound.drafts import Draft, Fence
from functions.bots.outbound.queue import MessageQueue
from functions.bots.outbound.sending import MessageSender, SendTimes
from local.fakes.graph.accounts import GraphApp, GraphNumber
from local.fakes.graph.fake import FakeGraph
from local.fakes.graph.state import ChatEntry, GraphOptions
from tests.support.bots.bots_api import NOW, RING, MovingClock

SEALER = Sealer(RING)
_ids = itertools.count(200_000_000_000_000)


class SteppingTime:
    """Monotonic time that passes only while somebody sleeps. `pauses` are the sleeps."""

    def __init__(self, clock: MovingClock) -> None:
        self.now = 1000.0
        self.pauses: list[float] = []
        self._clock = clock

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        """Let time pass, by the wall clock too."""
        self.pauses.append(seconds)
        self.pass_(seconds)

    def pass_(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds
        self._clock.now += round(seconds * SECOND)


@dataclass
class JobList:
    """A queue whose jobs a test looks at."""

    messages: list[Message] = field(default_factory=list[Message])
    down: bool = False

    async def send(self, messages: Any) -> None:
        """Take messages."""
        if self.down:
            raise QueueUnavailable("down")
        self.messages += messages

    def bodies(self) -> list[Mapping[str, Any]]:
        """The jobs' bodies, and forget them."""
        taken, self.messages = self.messages, []
        return [message.body for message in taken]


@dataclass
class NumberedTenant:
    """A tenant with a number at Graph."""

    id: str
    number: PhoneNumber
    token: str
    sending: "SendingProcess"

    async def conversation(self, **fields: Any) -> StoredConversation:
        """A conversation with an end user who wrote a minute ago."""
        sending, id = self.sending, str(uuid4())
        wa_id = fields.pop("wa_id", f"91{next(_ids) % 10**10:010d}")
        now = Micros(sending.clock.now)
        fields = {"last_inbound": "msg_first", "last_inbound_at": Micros(now - MINUTE), "bot_id": str(uuid4())} | fields
        user = fields.pop("user", EndUser(wa_id=wa_id, name="Asha"))
        made = StoredConversation(
            self.id, id, self.number.number_id, user, created=now, changed=change_mark(now, id), **fields
        )
        await sending.database.put(CONVERSATIONS, to_conversation_item(made))
        for key in user.keys:
            item = user_key(self.id, self.number.number_id, key) | {"conversation_id": id}
            await sending.database.put(CONVERSATIONS, item)
        if user.wa_id:
            sending.graph.phone(user.wa_id, number_id=self.number.number_id).say("hi")
        return made

    async def received(self, conversation: StoredConversation, text: str, wamid: str = "") -> StoredMessage:
        """A message of the user, as it is stored."""
        phone = self.sending.graph.phone(conversation.user.wa_id or "", number_id=self.number.number_id)
        now = Micros(self.sending.clock.now)
        message = StoredMessage(
            self.id,
            conversation.id,
            outbound_id(now),
            "user",
            "text",
            MessageState.RECEIVED,
            now,
            text=text,
            wamid=wamid or phone.say(text),
        )
        await self.sending.database.put(MESSAGES, to_message_item(message))
        return message

    async def current(self, conversation: StoredConversation) -> StoredConversation:
        """The conversation as it is stored."""
        return conversation_of(await self.sending.database.get(CONVERSATIONS, conversation.key))

    async def messages(self, conversation: StoredConversation) -> list[StoredMessage]:
        """The conversation's stored messages."""
        items = self.sending.database.query(MESSAGES, conversation.thread, consistent=True)
        return [message_of(item) async for item in items if item["item"].startswith("MESSAGE#")]

    async def marks(self, conversation: StoredConversation) -> int:
        """How many messages wait."""
        items = self.sending.database.query(MESSAGES, conversation.thread, consistent=True)
        return len([item async for item in items if item["item"].startswith("QUEUED#")])

    async def stored_number(self) -> PhoneNumber:
        """The number as it is stored."""
        return number_of(await self.sending.database.get(BOTS, self.number.key))

    async def events(self, kind: str = "message.sent") -> list[Mapping[str, Any]]:
        """The data of the tenant's events."""
        items = [item async for item in self.sending.database.scan(OUTBOX, where={"tenant": self.id, "type": kind})]
        return [json.loads(item["body"])["data"] for item in items]

    def delivered(self, conversation: StoredConversation) -> list[ChatEntry]:
        """What Graph took for the conversation's user from this number."""
        named = (conversation.user.wa_id, conversation.user.user_id)
        sent = self.sending.graph.sent
        return [each for each in sent if each.number_id == self.number.number_id and each.to in named]


class SendingProcess:
    """What one process needs to send, over the tables of `database` and a stand-in for Graph."""

    def __init__(
        self, database: Database, graph: FakeGraph, clock: MovingClock, jobs: JobList, *, times: SendTimes | None = None
    ) -> None:
        self.database = database
        self.graph = graph
        self.clock = clock
        self.jobs = jobs
        self.time = SteppingTime(clock)
        self.http = SafeClient(allow_loopback=True)
        client = GraphClient(f"{graph.url}/v24.0", self.http)
        self.attempts = SendAttempts(database, client, SEALER, clock=clock, monotonic=self.time, sleep=self.time.sleep)
        self.sender = MessageSender(self.attempts, times)
        self.queue = MessageQueue(self.attempts, jobs)

    async def tenant(self) -> NumberedTenant:
        """A tenant with a number of its own."""
        id, number_id, token = new_id("tnt"), str(next(_ids)), f"EAA{uuid4().hex}"
        waba_id = str(next(_ids))
        self.graph.add_account(GraphApp("secret", app_id=str(next(_ids))), waba_id, [GraphNumber(number_id)], token)
        number = PhoneNumber(
            tenant=id,
            id=str(uuid4()),
            account_id=str(uuid4()),
            waba_id=waba_id,
            number_id=number_id,
            display_phone_number="+91 80000 00001",
            verified_name="Bakery",
            token=SEALER.seal(token),
            created=Micros(self.clock.now),
        )
        await self.database.put(BOTS, to_number_item(number))
        return NumberedTenant(id, number, token, self)

    def draft(self, text: str = "hello", author: str = "key:key_1", **fields: Any) -> Draft:
        """A text."""
        return Draft(outbound_id(Micros(self.clock.now)), author, text_content(text), text, **fields)

    def another(self, dynamodb: DynamoDB | None = None) -> "SendingProcess":
        """Another process on the same tables, with a client of its own if one is given."""
        database = Database(dynamodb, self.database.stage) if dynamodb else self.database
        return SendingProcess(database, self.graph, self.clock, self.jobs)

    async def close(self) -> None:
        """Close the connections to Graph."""
        await self.http.close()


def graph_of(clock: MovingClock) -> FakeGraph:
    """A stand-in whose clock is the test's."""
    return FakeGraph(options=GraphOptions(clock=lambda: clock.now / SECOND))


def fenced(conversation: StoredConversation, now: int = NOW) -> tuple[StoredConversation, Fence]:
    """The conversation with a worker's lease, and the worker's fence."""
    lease = Lease("turn_1", uuid4().hex, Micros(now + 90 * SECOND), conversation.last_inbound or "")
    leased = replace(conversation, lease=lease, pending=1)
    return leased, Fence(lease, conversation.epoch, conversation.last_inbound)
