"""The one path of every callback: verify, note, answer.

To note a callback is one conditional write. Its item in the outbox has an id that the provider's own id makes, so
a retry finds it there and adds nothing, and two of them at once make one item. The outbox's stream takes it to the
queue `callbacks`: nothing can be lost between the answer to the provider and the queue.
"""

import asyncio
import hashlib
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict

from callmissed.aws.database import Database
from callmissed.clock import iso
from callmissed.errors import ApiError, payload_too_large
from callmissed.events.outbox import MOST_BYTES, Event, checked_body, publish
from callmissed.platform.queues import CALLBACK_SOURCE

MOST_CALLBACK_BYTES = 3 * 1024 * 1024
"""The largest callback: Meta sends up to 3 MB, which become many events of at most 200 KB each."""

_KEPT_HEADERS = (
    "content-type",
    "i-twilio-idempotency-token",
    "x-idempotency-key",
    "x-webhook-timestamp",
    "x-webhook-version",
)


@dataclass(frozen=True, slots=True)
class Callback:
    """A provider's request as it came, to the last byte.

    Names of `headers` are in lower case. `urls` are those under which the provider may have called us, with their
    query; `received` is in epoch microseconds.
    """

    headers: Mapping[str, str]
    body: bytes
    urls: Sequence[str]
    received: int


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing that a verified callback tells `tenant`. `account` and `own_id` are the provider's names for it.

    `text` is the part of the callback that tells it, or all of it.
    """

    tenant: str
    type: str
    account: str
    own_id: str
    text: str


class NotedCallback(BaseModel):
    """What a callback's item in the outbox holds: the text, headers that matter, and when it came (ISO 8601)."""

    model_config = ConfigDict(frozen=True)

    received: str
    headers: dict[str, str]
    text: str


Verify = Callable[[Callback], Awaitable[list[Notice]]]
"""Finds out what a callback tells. Raises ApiError 401 for one that its provider did not sign."""


def invalid_signature() -> ApiError:
    """401: it can't be shown that the provider sent this. The answer never says why."""
    return ApiError(401, "invalid_signature", "The signature is missing or wrong.")


async def take_in(database: Database, verify: Verify, callback: Callback) -> int:
    """Verify and note `callback`; returns how much of it was new.

    Raises ApiError 401 and 413, and Unavailable: the provider tries again then, and what was noted already stays once.
    """
    if len(callback.body) > MOST_CALLBACK_BYTES:
        raise payload_too_large(MOST_CALLBACK_BYTES)
    events = [_event(notice, callback) for notice in await verify(callback)]
    told = await asyncio.gather(*(publish(database, event) for event in events), return_exceptions=True)
    for outcome in told:
        if isinstance(outcome, BaseException):
            raise outcome
    return told.count(True)


def _event(notice: Notice, callback: Callback) -> Event:
    # An unreadable byte stays what it is: as half of a surrogate pair, which JSON can spell.
    headers = {name: callback.headers[name] for name in _KEPT_HEADERS if name in callback.headers}
    content = {"received": iso(callback.received), "headers": headers, "text": notice.text}
    digest = hashlib.sha256("\0".join((notice.type, notice.account, notice.own_id)).encode(errors="surrogatepass"))
    try:
        body = checked_body(json.dumps(content, separators=(",", ":")))
    except ValueError:
        raise payload_too_large(MOST_BYTES) from None
    return Event(f"cbk_{digest.hexdigest()[:32]}", notice.tenant, notice.type, CALLBACK_SOURCE, callback.received, body)
