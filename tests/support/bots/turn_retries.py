"""What keeps a turn from its end, and the time in which later workers take it on."""

import asyncio
import contextlib

from callmissed.aws.batches import Received
from callmissed.aws.dynamodb import Unavailable
from functions.bots.channels.whatsapp.payloads import text_content
from functions.bots.conversations.messages import outbound_id
from functions.bots.outbound.claims import Claimed
from functions.bots.outbound.drafts import Draft
from tests.support.bots.turns import BotProcess, Chat
from tests.support.faults import Crash, FaultyDynamoDB

ROUNDS = 3
"""Jobs of one minute that are processed; the others get lost."""


def without_waits(process: BotProcess) -> None:
    """Let the worker's waits for claims and between tries pass at once."""
    attempts = process.worker._sender._attempts  # pyright: ignore[reportPrivateUsage]
    time = [1000.0]

    async def sleep(seconds: float) -> None:
        time[0] += seconds
        await asyncio.sleep(0)

    attempts.monotonic = lambda: time[0]
    attempts.sleep = sleep


def faulty(chat: Chat) -> FaultyDynamoDB:
    """The worker's client of DynamoDB."""
    dynamodb = chat.process.dynamodb
    assert isinstance(dynamodb, FaultyDynamoDB)
    return dynamodb


async def die() -> None:
    """The worker dies."""
    raise Crash


def is_claim(request: object) -> bool:
    """Whether the request to DynamoDB claims a conversation."""
    return "by_bot" in str(request) and "UpdateExpression" in str(request)


def is_end(request: object) -> bool:
    """Whether the request to DynamoDB ends a turn."""
    return "TURN#" in str(request)


async def dies_before(chat: Chat, operation: str, matching: object) -> None:
    """Let a worker process the conversation's job, and die before a request."""
    faulty(chat).before(operation, die, matching=matching)  # pyright: ignore[reportArgumentType]
    with contextlib.suppress(Crash):
        await chat.process.process(chat.job())
    faulty(chat).forget_actions()


def draft_of_a_key(chat: Chat, text: str) -> Draft:
    """A message of a program of the tenant's."""
    return Draft(outbound_id(chat.process.clock()), "key:key_1", text_content(text), text)


async def claimed_by_a_key(chat: Chat) -> Claimed:
    """The conversation, while a message of a key is on its way."""
    claims = chat.process.worker._sender._attempts.claims  # pyright: ignore[reportPrivateUsage]
    return await claims.set(await chat.conversation(), draft_of_a_key(chat, "An offer"), None, chat.process.clock())


async def waits_in_queue(chat: Chat, text: str) -> None:
    """Let a message of a key wait, whose process died right after it was stored."""
    queue = chat.process.worker._waiting  # pyright: ignore[reportPrivateUsage]
    await queue.put(await chat.conversation(), [draft_of_a_key(chat, text)])
    chat.process.queue.take()


async def pass_minutes(chat: Chat, count: int) -> None:
    """The scheduler's jobs, one each minute while the conversation is due, and some of those that they send."""
    for _ in range(count):
        chat.process.clock.pass_(61)
        if not (await chat.conversation()).due:
            return
        await _processed(chat, chat.job().message().body)
        for message in chat.process.queue.take()[:ROUNDS]:
            chat.process.clock.pass_(6)
            await _processed(chat, message.body)


async def _processed(chat: Chat, body: dict[str, object]) -> None:
    with contextlib.suppress(Unavailable, ZeroDivisionError):
        await chat.process.worker.process(Received(body, redelivered=False))
