"""Jobs of the queue `webhook-dispatch`. The source of truth is DynamoDB: a job names the records to read.

    {"do": "attempt", "t": tenant, "w": webhook, "d": delivery, "e": event, "n": attempts made before this one}
    {"do": "parked",  "t": tenant, "w": webhook}
    {"do": "replay",  "t": tenant, "w": webhook, "r": replay}

A job may be delivered twice, late, or after its work was done.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from callmissed.aws.queues import Message
from functions.webhooks.storage.due import Due
from functions.webhooks.storage.records import Endpoint, IndexedDelivery


@dataclass(frozen=True, slots=True)
class AttemptJob:
    """Make the delivery's attempt that follows `attempts` others."""

    endpoint: Endpoint
    delivery_id: str
    event_id: str
    attempts: int

    def message(self, delay_seconds: int = 0) -> Message:
        """The job as the queue carries it."""
        return _message(self.endpoint, "attempt", delay_seconds, d=self.delivery_id, e=self.event_id, n=self.attempts)

    @classmethod
    def of(cls, delivery: IndexedDelivery) -> "AttemptJob":
        """The job of the delivery's next attempt."""
        return cls(delivery.endpoint, delivery.id, delivery.event_id, delivery.attempts)


@dataclass(frozen=True, slots=True)
class ParkedJob:
    """Send parked deliveries, if the endpoint or a probe allows it."""

    endpoint: Endpoint

    def message(self, delay_seconds: int = 0) -> Message:
        """The job as the queue carries it."""
        return _message(self.endpoint, "parked", delay_seconds)


@dataclass(frozen=True, slots=True)
class ReplayJob:
    """Continue a replay."""

    endpoint: Endpoint
    replay_id: str

    def message(self, delay_seconds: int = 0) -> Message:
        """The job as the queue carries it."""
        return _message(self.endpoint, "replay", delay_seconds, r=self.replay_id)


Job = AttemptJob | ParkedJob | ReplayJob


def parse(body: Mapping[str, Any]) -> Job:
    """The job in a message's body. Raises ValueError for an unknown one."""
    endpoint = Endpoint(body["t"], body["w"])
    match body["do"]:
        case "attempt":
            return AttemptJob(endpoint, body["d"], body["e"], body["n"])
        case "parked":
            return ParkedJob(endpoint)
        case "replay":
            return ReplayJob(endpoint, body["r"])
        case unknown:
            raise ValueError(f"unknown job {unknown!r}")


def of_due(due: Due) -> Job:
    """The job of a due item."""
    if due.delivery:
        return AttemptJob.of(due.delivery)
    return ReplayJob(due.endpoint, due.replay_id) if due.replay_id else ParkedJob(due.endpoint)


def _message(endpoint: Endpoint, do: str, delay_seconds: int, **more: Any) -> Message:
    body = {"do": do, "t": endpoint.tenant, "w": endpoint.webhook, **more}
    return Message(body, group=endpoint.tenant, delay_seconds=delay_seconds)
