"""A bot that answers: a tenant with credits, a number at the stand-in for Graph, and a worker of turns."""

import itertools
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from callmissed.aws.attributes import Item
from callmissed.aws.batches import Received
from callmissed.aws.comparisons import begins_with
from callmissed.aws.database import Database
from callmissed.aws.dynamodb import DynamoDB
from callmissed.aws.queues import Message
from callmissed.clock import SECOND, Micros, system_clock
from callmissed.http.client import SafeClient
from callmissed.idempotency.operation import derived
from callmissed.ids import new_id, sortable_id
from callmissed.platform.tables import BOTS, CONVERSATIONS, MESSAGES, OUTBOX
from callmissed.sealing import Sealer
from callmissed.settings import CoreSettings
from callmissed_ai.calls.container import create_container
from functions.bots.bots.records import Bot, BotType, to_bot_item
from functions.bots.channels.whatsapp.graph import GraphClient
from functions.bots.conversations.jobs import TurnJob
from functions.bots.conversations.messages import (
    TURN,
    MessageState,
    StoredMessage,
    StoredTurn,
    inbound_id,
    message_of,
    to_message_item,
    turn_of,
)
from functions.bots.conversations.records import (
    EndUser,
    KnownUser,
    StoredConversation,
    change_mark,
    conversation_key,
    conversation_of,
    due_text,
    shard_of,
    to_conversation_item,
    to_user_item,
)
from functions.bots.conversations.take_over import TakeOvers
from functions.bots.handlers.turn_worker import create_worker
from functions.bots.inbound.parts import ReceivedMessage
from functions.bots.inbound.reading import read
from functions.bots.inbound.service import InboundMessages
from functions.bots.numbers.records import PhoneNumber, to_number_item
from functions.bots.turns.worker import TurnWorker
from local.fakes.graph.accounts import NUMBER_ID, WABA_ID
from local.fakes.graph.fake import FakeGraph
from tests.support.inference.gateway import Account

SEALER = Sealer((bytes(range(32)),))
_numbers = itertools.count(1)
NewChat = Callable[..., Awaitable["Chat"]]
"""Makes conversations of new tenants; `account` is what the tenant has, the others are fields of the configuration."""


class ShiftedClock:
    """The machine's clock, ahead by as much as a test says."""

    def __init__(self) -> None:
        self.ahead = 0

    def __call__(self) -> Micros:
        return Micros(system_clock() + self.ahead)

    def pass_(self, seconds: float) -> None:
        """Let time pass."""
        self.ahead += round(seconds * SECOND)


@dataclass
class JobQueue:
    """A queue that keeps what is sent."""

    messages: list[Message] = field(default_factory=list[Message])

    async def send(self, messages: Sequence[Message]) -> None:
        self.messages.extend(messages)

    def take(self) -> list[Message]:
        """The messages since the last call."""
        taken, self.messages = self.messages, []
        return taken


@dataclass
class BotProcess:
    """One process of the worker, with its own client of DynamoDB and one clock for its turns and their calls."""

    settings: CoreSettings
    dynamodb: DynamoDB
    graph: FakeGraph
    clock: ShiftedClock = field(default_factory=ShiftedClock)
    queue: JobQueue = field(default_factory=JobQueue)

    def __post_init__(self) -> None:
        self.container = create_container(self.settings, self.clock, self.dynamodb)
        self.http = SafeClient(allow_loopback=True)
        client = GraphClient(f"{self.graph.url}/v24.0", self.http)
        self.worker: TurnWorker = create_worker(self.container, client, SEALER, self.queue, self.clock)

    async def process(self, job: TurnJob) -> None:
        """Process one job."""
        await self.worker.process(Received(job.message().body, redelivered=False))

    async def drain(self, rounds: int = 20) -> None:
        """Process the jobs that were sent, those that they send too, without their delays."""
        for _ in range(rounds):
            taken = self.queue.take()
            if not taken:
                return
            for message in taken:
                await self.worker.process(Received(message.body, redelivered=False))
        raise AssertionError("the jobs never end")

    async def close(self) -> None:
        await self.http.close()
        await self.container.close()


class Chat:
    """A tenant's conversation with one end user at a number that a bot answers. `process` is the worker's."""

    def __init__(self, process: BotProcess, account: Account, dynamodb: DynamoDB, stage: str) -> None:
        number = next(_numbers)
        self.process = process
        self.account = account
        self.tenant = account.tenant
        self.database = Database(dynamodb, stage)
        self.wa_id = f"91980{number:07d}"
        self.id = f"conv_{sortable_id(process.clock())}"
        self.bot_id = new_id("bot")
        self.name: str | None = "Asha"
        self.phone = process.graph.phone(self.wa_id, name="Asha")

    @property
    def takers(self) -> TakeOvers:
        """Changes of who answers."""
        return TakeOvers(self.database, self.process.clock)

    async def open(self, **config: Any) -> "Chat":
        """Store bot, number and an empty conversation."""
        now = self.process.clock()
        await self.bot(**config)
        await self.number()
        conversation = StoredConversation(
            tenant=self.tenant,
            id=self.id,
            number_id=NUMBER_ID,
            user=EndUser(self.wa_id, None, self.name),
            created=now,
            changed=change_mark(now, self.id),
            bot_id=self.bot_id,
            last_activity=now,
        )
        await self.database.put(CONVERSATIONS, to_conversation_item(conversation))
        user = to_user_item(self.tenant, NUMBER_ID, f"wa:{self.wa_id}", KnownUser(self.id))
        await self.database.put(CONVERSATIONS, user)
        return self

    async def bot(self, *, is_active: bool = True, system_prompt: str = "You sell bread.", **config: Any) -> None:
        """Store the bot."""
        now = self.process.clock()
        bot = Bot(self.tenant, self.bot_id, "Bread", BotType.WHATSAPP, system_prompt, now, now)
        config = {"model": "lab-chat", **config}
        await self.database.put(BOTS, to_bot_item(replace(bot, config=config, is_active=is_active)))

    async def number(self, **fields: Any) -> None:
        """Store the number."""
        number = PhoneNumber(
            tenant=self.tenant,
            id=f"num_{self.tenant}",
            account_id="acc",
            waba_id=WABA_ID,
            number_id=NUMBER_ID,
            display_phone_number="+91 80000 00001",
            verified_name="Bakery",
            token=SEALER.seal("EAAstandin"),
            created=self.process.clock(),
            bot_id=self.bot_id,
        )
        await self.database.put(BOTS, to_number_item(replace(number, **fields)))

    async def says(self, text: str | None, kind: str = "text", **changes: Any) -> StoredMessage:
        """Store a message of the end user, as inbound does; returns it."""
        now = self.process.clock()
        wamid = self.phone.say(text or "…")
        message = StoredMessage(
            tenant=self.tenant,
            conversation_id=self.id,
            id=inbound_id(wamid, now, now),
            author="user",
            type=kind,
            status=MessageState.RECEIVED,
            created=now,
            text=text,
            wamid=wamid,
        )
        await self.database.put(MESSAGES, to_message_item(message))
        await self.database.update(
            CONVERSATIONS,
            conversation_key(self.tenant, self.id),
            set={
                "last_inbound": message.id,
                "last_inbound_at": now,
                "last_activity": now,
                "changed": change_mark(now, self.id),
                **changes,
            },
            set_missing={"pending_since": now, "due": due_text(now), "shard": shard_of(self.id)},
            add={"pending": 1, "pending_ids": frozenset({message.id}), "unread": 1},
        )
        return message

    async def asks(self, text: str = "Do you have bread?") -> None:
        """Say something, and let the worker process the job."""
        message = await self.says(text)
        await self.process.process(self.job(message))

    async def colleague_writes(self, text: str) -> None:
        """Let a colleague write from the phone, and store what Meta echoes of it, sent now by the shifted clock."""
        wamid = self.phone.hear("text", {"body": text})
        texts = [callback.body.decode() for callback in self.process.graph.take()]
        parts = [part for callback in texts for part in read(callback).parts if part.wamid == wamid]
        (echo,) = [part for part in parts if isinstance(part, ReceivedMessage)]
        now = self.process.clock()
        store = InboundMessages(self.database, self.process.clock).store
        assert await store(self.tenant, NUMBER_ID, replace(echo, sent=now), now) is None

    def job(self, message: StoredMessage | None = None) -> TurnJob:
        """The job of a message, or the scheduler's."""
        return TurnJob(self.tenant, self.id, message.id if message else None)

    async def change(self, **values: Any) -> None:
        """Set attributes of the conversation."""
        await self.database.update(CONVERSATIONS, conversation_key(self.tenant, self.id), set=values)

    async def item(self) -> Item:
        """The conversation's item."""
        return await self.database.get(CONVERSATIONS, conversation_key(self.tenant, self.id))

    async def conversation(self) -> StoredConversation:
        """The conversation as it is."""
        return conversation_of(await self.item())

    async def turns(self) -> list[StoredTurn]:
        """The turns, oldest first."""
        items = self.database.query(MESSAGES, f"{self.tenant}#{self.id}", sort=begins_with(TURN), consistent=True)
        return [turn_of(item) async for item in items]

    async def messages(self) -> list[StoredMessage]:
        """The messages, oldest first."""
        items = self.database.query(MESSAGES, f"{self.tenant}#{self.id}", sort=begins_with("MESSAGE#"), consistent=True)
        return [message_of(item) async for item in items]

    @property
    def sent(self) -> list[str]:
        """The texts that Graph took for the end user."""
        return [
            entry.request["text"]["body"]
            for entry in self.process.graph.sent
            if entry.request.get("to") == self.wa_id and entry.request.get("type") == "text"
        ]

    async def event(self, message: StoredMessage) -> Item:
        """The event `message.sent` of a message; empty where there is none."""
        unique = derived(self.tenant, "message.sent", message.id)[:32]
        return await self.database.get(OUTBOX, {"id": f"evt_{unique}"})

    async def outcome(self) -> tuple[str, str | None]:
        """State and reason of the latest turn, the same in the conversation and in its record."""
        last, turns = (await self.conversation()).last_turn, await self.turns()
        assert last, "there was no turn"
        assert (turns[-1].id, turns[-1].state, turns[-1].reason) == (last.id, last.state, last.reason)
        return str(last.state), last.reason
