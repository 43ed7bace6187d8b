"""The one path of every callback: verify, store, answer.

A callback is stored by one conditional write. Its item in the outbox has an id that follows from the provider's own id:
a retry finds the item and adds nothing, and two concurrent requests make one item. The outbox's stream leads the item
to a queue (WhatsApp's to `whatsapp`, the others to `callbacks`), so nothing is lost after the answer to the provider.
"""

import asyncio
import hashlib
import json
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from callmissed.aws.database import Database
from callmissed.clock import Micros, iso
from callmissed.errors import ApiError, payload_too_large
from callmissed.events.outbox import MAX_EVENT_BYTES, Event, checked_body, publish
from callmissed.platform.queues import CALLBACK_SOURCE

MAX_CALLBACK_BYTES = 3 * 1024 * 1024
"""Maximum size of a callback: Meta sends up to 3 MB, which become many events of at most 200 KB each."""

_CONCURRENT_WRITES = 100
"""Writes of one callback at a time: fewer than the connections that DynamoDB's client has."""

_KEPT_HEADERS = (
    "content-type",
    "i-twilio-idempotency-token",
    "x-idempotency-key",
    "x-webhook-timestamp",
    "x-webhook-version",
)


@dataclass(frozen=True, slots=True)
class Callback:
    """A provider's request, with the bytes as received.

    Names of `headers` are in lower case. `urls` are those under which the provider may have called us, with their
    query; `received` is in epoch microseconds.
    """

    headers: Mapping[str, str]
    body: bytes
    urls: Sequence[str]
    received: Micros


@dataclass(frozen=True, slots=True)
class CallbackItem:
    """One message, status or change for `tenant` in a verified callback.

    `account` and `own_id` are the provider's ids of the account and the item. `text` is the item's part of the
    callback, or all of it.
    """

    tenant: str
    type: str
    account: str
    own_id: str
    text: str


Verify = Callable[[Callback], Awaitable[list[CallbackItem]]]
"""The items of a callback. Raises ApiError 401 if the provider did not sign it."""


def invalid_signature() -> ApiError:
    """401: the callback could not be verified. The answer never says why."""
    return ApiError(401, "invalid_signature", "The signature is missing or wrong.")


async def receive(database: Database, verify: Verify, callback: Callback) -> int:
    """Verify and store `callback`; returns how many items were new.

    Raises ApiError 401 and 413, and Unavailable: the provider then retries, and a stored item is not stored twice.
    An item that is too large does not stop the others: they are stored before the 413.
    """
    if len(callback.body) > MAX_CALLBACK_BYTES:
        raise payload_too_large(MAX_CALLBACK_BYTES)
    items = await verify(callback)
    events = [event for item in items if (event := _event(item, callback))]
    published = await asyncio.gather(*_publishing(database, events), return_exceptions=True)
    for outcome in published:
        if isinstance(outcome, BaseException):
            raise outcome
    if len(events) < len(items):
        raise payload_too_large(MAX_EVENT_BYTES)
    return published.count(True)


def _publishing(database: Database, events: Sequence[Event]) -> Iterator[Awaitable[bool]]:
    """Publish `events`, of which some wait for a connection: one that waits for a second counts as refused."""
    gate = asyncio.Semaphore(_CONCURRENT_WRITES)

    async def gated(event: Event) -> bool:
        async with gate:
            return await publish(database, event)

    return map(gated, events)


def _event(item: CallbackItem, callback: Callback) -> Event | None:
    """The outbox's event of `item`; None for one that is too large."""
    # An undecodable byte is kept as a lone surrogate, which JSON can escape.
    headers = {name: callback.headers[name] for name in _KEPT_HEADERS if name in callback.headers}
    content = {"received": iso(callback.received), "headers": headers, "text": item.text}
    digest = hashlib.sha256("\0".join((item.type, item.account, item.own_id)).encode(errors="surrogatepass"))
    try:
        body = checked_body(json.dumps(content, separators=(",", ":")))
    except ValueError:
        return None
    return Event(f"cbk_{digest.hexdigest()[:32]}", item.tenant, item.type, CALLBACK_SOURCE, callback.received, body)
