"""What the queue `webhook-dispatch` carries: orders to look at something, whose truth is in DynamoDB.

    {"do": "attempt", "t": tenant, "w": webhook, "d": delivery, "e": event, "n": attempts made before this one}
    {"do": "lane",    "t": tenant, "w": webhook}
    {"do": "replay",  "t": tenant, "w": webhook, "r": replay}

A message may come twice, late, or after what it asks for was done: whoever gets it looks first.
"""

from typing import Any

from callmissed.aws.attributes import Item
from callmissed.aws.queues import Message
from functions.webhooks.storage.records import DELIVERY, LANE, REPLAY, Endpoint, endpoint_of


def attempt(endpoint: Endpoint, delivery: Item, *, delay_seconds: int = 0) -> Message:
    """The order to make the delivery's next attempt."""
    id = delivery["item"].removeprefix(DELIVERY)
    return _message(endpoint, "attempt", delay_seconds, d=id, e=delivery["event"], n=delivery["n"])


def lane(endpoint: Endpoint, *, delay_seconds: int = 0) -> Message:
    """The order to look whether parked deliveries can go on."""
    return _message(endpoint, "lane", delay_seconds)


def replay(endpoint: Endpoint, id: str, *, delay_seconds: int = 0) -> Message:
    """The order to go on with a replay."""
    return _message(endpoint, "replay", delay_seconds, r=id)


def of_due(item: Item) -> Message:
    """The order for an item of the table `deliveries` that is due."""
    endpoint, key = endpoint_of(item["webhook"]), item["item"]
    if key == LANE:
        return lane(endpoint)
    if key.startswith(REPLAY):
        return replay(endpoint, key.removeprefix(REPLAY))
    return attempt(endpoint, item)


def _message(endpoint: Endpoint, do: str, delay_seconds: int, **more: Any) -> Message:
    body = {"do": do, "t": endpoint.tenant, "w": endpoint.webhook, **more}
    return Message(body, group=endpoint.tenant, delay_seconds=delay_seconds)
