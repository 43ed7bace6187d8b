"""API models of replays; docs/api/openapi.json is made from them."""

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from callmissed.clock import iso
from callmissed.web.schemas import RequestModel
from functions.webhooks.deliveries.schemas import EVENTS, TIME, DeliveryStatus, EventFilter, Moment
from functions.webhooks.storage.replays import DeliveryReplay


class Recovery(RequestModel):
    """What to recover."""

    model_config = ConfigDict(json_schema_extra={"example": {"since": TIME}})

    since: Moment | None = Field(
        default=None,
        description="Deliveries of events since then, at most 30 days ago. By default since the "
        "endpoint began to fail, or 24 hours ago if that is earlier.",
    )


class NewReplay(RequestModel):
    """Which deliveries to send again."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"since": TIME, "until": "2026-11-25T12:00:00.000Z", "events": ["message.*"]}}
    )

    since: Moment = Field(description="Time of the first event, at most 30 days ago.")
    until: Moment | None = Field(default=None, description="Events before then; now by default, and at the latest.")
    events: list[EventFilter] | None = Field(default=None, max_length=50, description=f"{EVENTS} All by default.")
    status: DeliveryStatus | None = Field(default=None, description="Only deliveries in this status. All by default.")


class ReplayOut(BaseModel):
    """A run over past deliveries."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "id": "rpl_9d2f51c07be34a8896f01c55",
                "kind": "recover",
                "status": "running",
                "since": "2026-11-24T09:30:00.000Z",
                "until": TIME,
                "scanned": 0,
                "queued": 0,
            }
        }
    )

    id: str
    kind: Literal["recover", "replay"]
    status: str = Field(description="`running`, then `done`.")
    since: str
    until: str
    scanned: int = Field(description="Deliveries read so far.")
    queued: int = Field(description="Deliveries queued so far.")

    @classmethod
    def of(cls, replay: DeliveryReplay) -> Self:
        """The replay and its progress."""
        return cls(
            id=replay.id,
            kind=replay.kind.value,
            status=replay.state.value,
            since=iso(replay.since),
            until=iso(replay.until),
            scanned=replay.scanned,
            queued=replay.queued,
        )
