"""Items of the table `deliveries`, as they are stored."""

from collections.abc import Mapping
from typing import Any

from callmissed.aws.attributes import Item
from functions.webhooks.storage.records import Delivery, Endpoint, State


def new_delivery(
    endpoint: Endpoint, id: str, event: Mapping[str, Any], state: State, *, origin: str | None = None
) -> Item:
    """A delivery of `event` (id, type, created) that was not attempted yet."""
    return Delivery(
        endpoint=endpoint,
        id=id,
        event_id=event["id"],
        event_type=event["type"],
        created_at=event["created"],
        state=state,
        replay_of=origin,
    ).item
