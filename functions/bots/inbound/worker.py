"""The worker of the queue `whatsapp`.

A job names a stored callback, whose text is in the outbox. One that can't be processed fails, and SQS moves its job to
`whatsapp-dead` after all tries. A text without what its shape needs is counted as rejected, because another try would
read the same.

The messages of one end user are stored one after another, in the order in which they were sent; those of others, and
statuses, at the same time.
"""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from callmissed.aws.database import Database
from callmissed.aws.dynamodb import Unavailable
from callmissed.aws.queues import Message, QueueUnavailable, Sending
from callmissed.clock import Clock, Micros, micros_of, system_clock
from callmissed.integrations.callbacks import (
    PLATFORM,
    StoredCallback,
    UnprocessableError,
    callback_item,
    log_failed_callback,
)
from callmissed.observability import count, get_logger
from callmissed.platform.queues.sources import WHATSAPP_CALLBACK
from functions.bots.inbound.events import EventTooLargeError
from functions.bots.inbound.parts import Part, ReceivedMessage
from functions.bots.inbound.reading import Reading, read
from functions.bots.inbound.service import InboundMessages
from functions.bots.inbound.statuses import InboundStatuses

_logger = get_logger("whatsapp-inbound")


@dataclass(slots=True)
class _Delivery:
    """A record of SQS, with what its callback says. `jobs` are those that its messages ask for."""

    record: dict[str, Any]
    tenant: str = ""
    callback_id: str = ""
    received: str = ""
    reading: Reading = field(default_factory=Reading)
    jobs: list[Message] = field(default_factory=list[Message])
    failed: bool = False

    @property
    def id(self) -> str:
        """Id of SQS's message."""
        return self.record["messageId"]

    @property
    def order(self) -> tuple[Micros, str]:
        """Place among the deliveries of one end user."""
        return min((part.sent or Micros(0) for part in self._messages), default=Micros(0)), self.received

    @property
    def about(self) -> str:
        """What it must not be processed with at the same time: an end user, or a message that went out."""
        for part in self.reading.parts:
            name = max(part.user.keys, default="") if isinstance(part, ReceivedMessage) else part.wamid
            return "\0".join((self.tenant, self.reading.number_id or "", name))
        return self.id

    @property
    def _messages(self) -> list[ReceivedMessage]:
        return [part for part in self.reading.parts if isinstance(part, ReceivedMessage)]


class InboundWorker:
    """Processes stored callbacks of one stage. Processing is idempotent."""

    def __init__(self, database: Database, jobs: Sending, clock: Clock = system_clock) -> None:
        self._database = database
        self._jobs = jobs
        self._messages = InboundMessages(database, clock)
        self._statuses = InboundStatuses(database, clock)

    async def failures(self, records: Sequence[dict[str, Any]]) -> list[str]:
        """Process SQS's `records`; returns the ids of those that failed."""
        deliveries = [_Delivery(record) for record in records]
        await asyncio.gather(*(self._try(delivery, self._read) for delivery in deliveries))
        groups = _groups(delivery for delivery in deliveries if not delivery.failed)
        await asyncio.gather(*map(self._process_group, groups))
        await self._send_jobs(deliveries)
        return [delivery.id for delivery in deliveries if delivery.failed]

    async def _try(self, delivery: _Delivery, step: Any) -> None:
        try:
            await step(delivery)
        except (UnprocessableError, Unavailable) as error:
            delivery.failed = True
            log_failed_callback(_logger, delivery.record, error)
        except Exception:  # a failure affects only its own callback
            delivery.failed = True
            _logger.exception("unexpected failure", extra={"message_id": delivery.id})

    async def _read(self, delivery: _Delivery) -> None:
        item = await callback_item(self._database, delivery.record)
        if item["type"] != WHATSAPP_CALLBACK:
            raise UnprocessableError(f"nothing processes {item['type']} yet")
        try:
            callback = StoredCallback.model_validate_json(item["body"])
            delivery.reading = read(callback.text)
        except ValueError as error:  # its text may contain the message's content, so it is not logged
            raise UnprocessableError(f"the text can't be read: {type(error).__name__}") from None
        if item["tenant"] == PLATFORM:
            delivery.reading = Reading(rejects=["a change of nobody's number"])
        delivery.tenant, delivery.callback_id, delivery.received = item["tenant"], item["id"], callback.received

    async def _process_group(self, deliveries: Sequence[_Delivery]) -> None:
        for delivery in deliveries:
            await self._try(delivery, self._process)

    async def _process(self, delivery: _Delivery) -> None:
        reading = delivery.reading
        for part in reading.parts:
            try:
                job = await self._process_part(delivery, part)
            except EventTooLargeError:
                reading.rejects.append("too large for an event")
            else:
                delivery.jobs += [job] if job else []
        _count_unprocessed(delivery.callback_id, reading)

    async def _process_part(self, delivery: _Delivery, part: Part) -> Message | None:
        number_id = delivery.reading.number_id
        if isinstance(part, ReceivedMessage):
            received = _received(delivery.received)
            return await self._messages.store(delivery.tenant, number_id, part, received)
        await self._statuses.apply(delivery.tenant, part)
        return None

    async def _send_jobs(self, deliveries: Sequence[_Delivery]) -> None:
        """Ask for turns. What was stored without its job fails, so that the redelivery sends the job."""
        waiting = [delivery for delivery in deliveries if delivery.jobs and not delivery.failed]
        try:
            await self._jobs.send([job for delivery in waiting for job in delivery.jobs])
        except QueueUnavailable:
            _logger.exception("the jobs of turns could not be sent")
            for delivery in waiting:
                delivery.failed = True


def _received(text: str) -> Micros:
    try:
        return micros_of(text)
    except ValueError:
        raise UnprocessableError("the time of receipt can't be read") from None


def _groups(deliveries: Iterable[_Delivery]) -> list[list[_Delivery]]:
    groups: dict[str, list[_Delivery]] = {}
    for delivery in sorted(deliveries, key=lambda each: each.order):
        groups.setdefault(delivery.about, []).append(delivery)
    return list(groups.values())


def _count_unprocessed(callback_id: str, reading: Reading) -> None:
    """Count what could not be read; `callback_id` finds its text in the outbox for 30 days."""
    if reading.rejects:
        count("CallbackRejected", len(reading.rejects))
        _logger.warning("a callback was rejected", extra={"callback": callback_id, "reasons": reading.rejects})
    if reading.error_codes:
        count("CallbackError", len(reading.error_codes))
        _logger.warning("WhatsApp reports errors", extra={"callback": callback_id, "codes": reading.error_codes})
