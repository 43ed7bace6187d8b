"""Stores messages of end users, and of colleagues to them: each once, in the one open conversation of its end user.

Everything that a message changes is one transaction: the message, `message.received`, the conversation, and what leads
to the conversation. A message that was stored before is found by its event, whose id follows from WhatsApp's.
"""

import asyncio
import json
import random
from collections.abc import Awaitable, Callable

from callmissed.aws.database import Database
from callmissed.aws.dynamodb import TransactionCanceled, Unavailable
from callmissed.aws.queues import Message
from callmissed.clock import Clock, Micros
from callmissed.events.outbox import publish
from callmissed.platform.tables import CONVERSATIONS, OUTBOX
from functions.bots.conversations.jobs import TurnJob
from functions.bots.conversations.records import StoredConversation, conversation_key, conversation_of
from functions.bots.inbound.arrival import Arrival
from functions.bots.inbound.echoes import plan_of
from functions.bots.inbound.events import event_of
from functions.bots.inbound.known import KnownNumbers
from functions.bots.inbound.parts import ReceivedMessage
from functions.bots.inbound.writes import StoragePlan, added, begun, continued

_TRIES = 8
_BACKOFF_SECONDS = 0.05
_REFUSED = "ConditionalCheckFailed"

Sleep = Callable[[float], Awaitable[None]]


class _ChangedError(Exception):
    """The conversation or the end user's names changed between the read and the transaction."""


class InboundMessages:
    """Stores messages of one stage."""

    def __init__(self, database: Database, clock: Clock, sleep: Sleep = asyncio.sleep) -> None:
        self._database = database
        self._clock = clock
        self._sleep = sleep
        self._numbers = KnownNumbers(database)

    async def store(
        self, tenant: str, number_id: str | None, message: ReceivedMessage, received: Micros
    ) -> Message | None:
        """Store a message; returns the job for its turn, if a bot is to answer.

        A message of a group, or of no known number, is an event only. Raises EventTooLargeError and Unavailable.
        """
        if number_id is None or message.is_in_group:
            await publish(self._database, event_of(tenant, message, self._clock()))
            return None
        for attempt in range(1, _TRIES + 1):
            try:
                known = await self._numbers.find(tenant, number_id, message.names)
                return await self._store(Arrival(tenant, number_id, message, received, self._clock(), known))
            except _ChangedError:
                pass
            except Unavailable as error:
                if error.indeterminate or attempt == _TRIES:
                    raise
            await self._sleep(random.uniform(0, _BACKOFF_SECONDS * attempt))  # noqa: S311
        raise Unavailable("the conversation changed at each try", indeterminate=False)

    async def _store(self, arrival: Arrival) -> Message | None:
        plan = await self._plan(arrival)
        if plan is None:
            event = event_of(arrival.tenant, arrival.message, arrival.now, bot_id=arrival.bot_id)
            await publish(self._database, event)
            return None
        try:
            conversation_id = await self._execute(plan)
        except _ChangedError:
            if arrival.message.is_echo or not arrival.known.conversation_ids:
                raise
            conversation_id = await self._execute(await self._resolved(arrival))
        if not conversation_id or not arrival.wants_turn:
            return None
        job = TurnJob(arrival.tenant, conversation_id, arrival.message_id)
        return job.message(arrival.config.quiet_seconds)

    async def _plan(self, arrival: Arrival) -> StoragePlan | None:
        """How to store the message as far as it is known; None for one that belongs to no conversation."""
        ids = arrival.known.conversation_ids
        if arrival.message.is_echo:
            return plan_of(arrival, await self._conversations(arrival) if ids else [])
        if arrival.message.renamed and len(ids) > 1:
            return await self._merged(arrival)
        if not arrival.message.opens_conversation:
            return added(arrival, ids[0]) if ids else None
        if len(ids) > 1:
            return await self._resolved(arrival)
        return continued(arrival, ids[0]) if ids else begun(arrival)

    async def _resolved(self, arrival: Arrival) -> StoragePlan:
        """How to store the message in what the end user's conversations are now."""
        if not arrival.message.opens_conversation:
            raise _ChangedError
        conversations = await self._conversations(arrival)
        open_ones = [each for each in conversations if each.status_at(arrival.now).is_open]
        if not open_ones:
            return begun(arrival, conversations)
        current = max(open_ones, key=lambda each: each.last_activity)
        others = [each for each in conversations if each is not current]
        renews_window = arrival.sent >= current.last_inbound_at
        return continued(arrival, current.id, closed=others, renews_window=renews_window)

    async def _merged(self, arrival: Arrival) -> StoragePlan | None:
        """How one conversation stays of those that the end user has by earlier and new names; None if all are gone."""
        conversations = await self._conversations(arrival)
        if not conversations:
            return None
        current = max(conversations, key=lambda each: (each.status_at(arrival.now).is_open, each.last_activity))
        return added(arrival, current.id, closed=[each for each in conversations if each is not current])

    async def _conversations(self, arrival: Arrival) -> list[StoredConversation]:
        keys = [conversation_key(arrival.tenant, each) for each in arrival.known.conversation_ids]
        return [conversation_of(item) for item in await self._database.get_all(CONVERSATIONS, keys)]

    async def _execute(self, plan: StoragePlan) -> str | None:
        """Id of the conversation that has the message now, or had it before. Raises _ChangedError."""
        try:
            await self._database.transact(plan.operations)
        except TransactionCanceled as canceled:
            message, event, *others = canceled.reasons
            if message == _REFUSED:
                return plan.conversation_id
            if event == _REFUSED:
                return await self._place(plan)
            if _REFUSED in others:
                raise _ChangedError from None
            raise
        return plan.conversation_id

    async def _place(self, plan: StoragePlan) -> str | None:
        """Id of the conversation of a message that was stored before, as its event says."""
        item = await self._database.get(OUTBOX, {"id": plan.event_id})
        return json.loads(item["body"])["data"]["conversation_id"] if item else None
