"""A conversation in which a person acts while the bot's worker works."""

import asyncio
import contextlib
from dataclasses import dataclass

from callmissed.aws.dynamodb import Unavailable
from callmissed.platform.tables import BOTS
from functions.bots.channels.whatsapp.graph import GraphClient
from functions.bots.channels.whatsapp.payloads import text_content
from functions.bots.conversations.messages import outbound_id
from functions.bots.conversations.take_over import TakeOvers
from functions.bots.numbers.records import number_key, number_of
from functions.bots.outbound.attempts import SendAttempts
from functions.bots.outbound.drafts import Draft
from functions.bots.outbound.errors import ConversationBusy
from functions.bots.outbound.sending import MessageSender
from local.fakes.graph.accounts import NUMBER_ID
from tests.support.bots.turns import SEALER, Chat
from tests.support.faults import Crash, FaultyDynamoDB

BOT, PERSON = "The bot's answer", "A person's answer"
WAYS = ("take_over", "assign", "escalate", "autoreply_twice", "answer", "echo")
"""How a person comes to answer in place of the bot."""


@dataclass
class SupervisedChat:
    """A chat and its worker's client, which stops before a request of the test's choice.

    While a person answers, `accepted` is how many messages of the bot Graph had taken when the person's call returned.
    `waited` is how many seconds persons have waited for a worker that died.
    """

    chat: Chat
    dynamodb: FaultyDynamoDB
    accepted: int | None = None
    works: bool = False
    acting: "asyncio.Task[None] | None" = None
    waited: float = 0.0

    @property
    def bot_messages(self) -> int:
        """Messages of the bot that Graph took."""
        return sum(text.startswith(BOT) for text in self.chat.sent)

    async def work(self, number: int, way: str) -> None:
        """Let the worker process the conversation; a person acts before its `number`th request, or after the last."""
        seen = 0
        send = self.dynamodb.send

        async def counted(operation: str, payload: bytes) -> dict[str, object]:
            nonlocal seen
            seen += 1
            if seen == number:
                await self._begin(way)
            return await send(operation, payload)

        self.dynamodb.send = counted  # pyright: ignore[reportAttributeAccessIssue]  one more seam
        self.works = True
        try:
            await self.chat.process.process(self.chat.job())
        except (Crash, Unavailable):
            pass
        finally:
            self.works = False
            self.dynamodb.send = send
        if self.acting is None:
            await self._begin(way)
        if self.acting:
            await self.acting
            self.acting = None

    def check(self) -> None:
        """Nothing of the bot left since a person's call returned."""
        assert self.accepted is None or self.bot_messages == self.accepted

    async def hand_back(self) -> None:
        """Let the bot answer again."""
        self.check()
        self.accepted = None
        await self.chat.takers.hand_back(self.chat.tenant, self.chat.id)

    async def _begin(self, way: str) -> None:
        """Let the person's call run until it is done, or waits for the worker."""
        if way == "nothing":
            return
        waiting = asyncio.Event()

        async def sleep(seconds: float) -> None:
            waiting.set()
            self.waited += 0 if self.works else seconds
            await asyncio.sleep(0.002 if self.works else 0)

        self.acting = asyncio.ensure_future(self._act(way, sleep))
        await asyncio.wait({self.acting, asyncio.ensure_future(waiting.wait())}, return_when=asyncio.FIRST_COMPLETED)
        waiting.set()

    async def _act(self, way: str, sleep: object) -> None:
        chat = self.chat
        takers = TakeOvers(chat.database, chat.process.clock, sleep)  # pyright: ignore[reportArgumentType]
        match way:
            case "assign":
                await takers.take_over(chat.tenant, chat.id, assigned_to="usr_1")
            case "escalate":
                await takers.escalate(chat.tenant, chat.id, "asked_for")
            case "autoreply_twice":
                await takers.take_over(chat.tenant, chat.id)
                await takers.take_over(chat.tenant, chat.id)
            case "answer":
                await self._answer(sleep)
            case "echo":
                await chat.colleague_writes(PERSON)
                await takers.settled(chat.tenant, chat.id)
            case _:
                await takers.take_over(chat.tenant, chat.id)
        self.accepted = self.bot_messages

    async def _answer(self, sleep: object) -> None:
        """Send a person's message, which takes the conversation over, also when a dead worker's claim refuses it."""
        chat = self.chat
        number = number_of(await chat.database.get(BOTS, number_key(chat.tenant, NUMBER_ID)))
        graph = GraphClient(f"{chat.process.graph.url}/v24.0", chat.process.http)
        attempts = SendAttempts(
            chat.database,
            graph,
            SEALER,
            clock=chat.process.clock,
            monotonic=lambda: self.waited,
            sleep=sleep,  # pyright: ignore[reportArgumentType]
        )
        draft = Draft(outbound_id(chat.process.clock()), "person:usr_1", text_content(PERSON), text=PERSON)
        with contextlib.suppress(ConversationBusy):
            await MessageSender(attempts).send(await chat.conversation(), number, draft)
        assert not (await chat.conversation()).autoreply
