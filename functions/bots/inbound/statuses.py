"""Applies WhatsApp's statuses to the messages that went out."""

from callmissed.aws.database import Database
from callmissed.clock import Clock
from callmissed.events.outbox import publish
from functions.bots.inbound.events import event_of
from functions.bots.inbound.parts import ReceivedStatus


class InboundStatuses:
    """Applies statuses of one stage."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def apply(self, tenant: str, status: ReceivedStatus) -> None:
        """Apply a status, and publish it. Raises TooLargeError and Unavailable."""
        await publish(self._database, event_of(tenant, status, self._clock()))
