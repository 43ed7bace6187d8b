"""Callbacks of the WhatsApp Cloud API.

https://developers.facebook.com/docs/graph-api/webhooks/getting-started: the header `X-Hub-Signature-256` is
`sha256=` and the HMAC-SHA256, in hex, of the body under the app's secret. The body names its phone numbers.

Meta puts several updates into one callback and groups them differently when it retries, so a callback has no stable id.
Its messages and statuses have one. Each becomes an item of its own with that id: regrouping can't repeat or hide an
item, no tenant sees another tenant's, and an item that can't be processed does not stop the others.
"""

import hashlib
import hmac
import json
from collections.abc import Iterable, Iterator
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from callmissed.errors import payload_too_large
from callmissed.integrations.credentials import whatsapp_account
from callmissed.observability import get_logger
from functions.webhooks.callbacks.receive import MAX_CALLBACK_BYTES, Callback, CallbackItem, invalid_signature
from functions.webhooks.callbacks.signers import Signers

WHATSAPP = "callback.whatsapp"
MAX_NUMBERS = 20
"""Maximum phone numbers in one callback: each costs a read before the signature is verified."""

MAX_UPDATES = 1_000
"""Maximum messages and statuses in one callback, from Meta's documentation."""

_MAX_ITEM_BYTES = 4 * MAX_CALLBACK_BYTES
"""Maximum size of the items of one callback: each repeats the shared parts, such as contacts."""

_SIGNATURE = "x-hub-signature-256"
_logger = get_logger("callbacks")


class _Open(BaseModel):
    model_config = ConfigDict(frozen=True, extra="allow")


class Metadata(_Open):
    """The tenant's phone number of a change."""

    phone_number_id: str = Field(min_length=1, max_length=100)


class SignedValue(_Open):
    """Content of a change. Statuses and messages are not decoded here: the worker decodes them."""

    metadata: Metadata | None = None
    messages: list[dict[str, Any]] = []
    statuses: list[dict[str, Any]] = []


class SignedChange(_Open):
    """A change of the field to which the app subscribes."""

    field: str
    value: SignedValue


class SignedEntry(_Open):
    """Changes of one WhatsApp Business account."""

    id: str
    changes: list[SignedChange]


class SignedBody(_Open):
    """A callback's body."""

    object: str
    entry: list[SignedEntry]


class WhatsApp:
    """Verifies callbacks of WhatsApp and splits them into items."""

    def __init__(self, signers: Signers) -> None:
        self._signers = signers

    async def verify(self, callback: Callback) -> list[CallbackItem]:
        """See `receive.Verify`. Accepts only changes of numbers whose secret signed the callback.

        Raises ApiError 413 for more items than Meta sends.
        """
        changes = list(_changes(callback.body))
        owners = await self._owners({number for number, _, _ in changes}, callback)
        return _bounded(
            item
            for number, entry, change in changes
            if (tenant := owners.get(number))
            for item in _items(tenant, number, entry, change)
        )

    async def _owners(self, numbers: set[str], callback: Callback) -> dict[str, str]:
        """Tenants by number. Raises ApiError 401 when no secret fits the signature."""
        if not 1 <= len(numbers) <= MAX_NUMBERS:
            raise invalid_signature()
        found: dict[str, str] = {}
        for number in sorted(numbers):
            tenant = await self._signers.tenant(whatsapp_account(number), lambda secret: _signed(secret, callback))
            if tenant:
                found[number] = tenant
        if not found:
            raise invalid_signature()
        if unsigned := len(numbers) - len(found):
            _logger.warning("left out what was signed for other numbers only", extra={"numbers": unsigned})
        return found


def _signed(secret: str, callback: Callback) -> bool:
    expected = "sha256=" + hmac.digest(secret.encode(), callback.body, "sha256").hex()
    return hmac.compare_digest(expected.encode(), callback.headers.get(_SIGNATURE, "").encode())


def _changes(body: bytes) -> Iterator[tuple[str, str, SignedChange]]:
    """Number, Business account and change, of each change that names a number. Raises ApiError 401 for other bodies."""
    try:
        parsed = SignedBody.model_validate(json.loads(body))
    except (ValueError, RecursionError):
        raise invalid_signature() from None  # without a number there is no secret to verify with
    for entry in parsed.entry:
        for change in entry.changes:
            if change.value.metadata:
                yield change.value.metadata.phone_number_id, entry.id, change


def _bounded(items: Iterable[CallbackItem]) -> list[CallbackItem]:
    """All of `items`. Raises ApiError 413 for too many items, or too many bytes in total."""
    bounded: list[CallbackItem] = []
    room = _MAX_ITEM_BYTES
    for item in items:
        bounded.append(item)
        room -= len(item.text)
        if room < 0 or len(bounded) > MAX_UPDATES:
            raise payload_too_large(MAX_CALLBACK_BYTES)
    return bounded


def _items(tenant: str, number: str, entry: str, change: SignedChange) -> Iterator[CallbackItem]:
    """An item for each message and each status; one for a change that has neither."""
    account = whatsapp_account(number)
    for own_id, value in _parts(change):
        content = {"field": change.field, "value": value}
        body = {"object": "whatsapp_business_account", "entry": [{"id": entry, "changes": [content]}]}
        yield CallbackItem(tenant, WHATSAPP, account, own_id, json.dumps(body, separators=(",", ":")))


def _parts(change: SignedChange) -> Iterator[tuple[str, dict[str, Any]]]:
    whole = change.value.model_dump(exclude_unset=True)
    around = {name: value for name, value in whole.items() if name not in ("messages", "statuses")}
    for message in change.value.messages:
        yield f"message\0{_own_id(message, 'id')}", around | {"messages": [message]}
    for status in change.value.statuses:
        yield f"status\0{_own_id(status, 'id', 'status', 'recipient_id')}", around | {"statuses": [status]}
    if not change.value.messages and not change.value.statuses:
        yield f"change\0{change.field}\0{_digest(whole)}", whole


def _own_id(part: dict[str, Any], *names: str) -> str:
    """The provider's id of `part`, or the digest of its content without one."""
    id = part.get("id")
    if not isinstance(id, str) or not id:
        return _digest(part)
    return "\0".join(str(part.get(name, "")) for name in names)


def _digest(content: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
