"""Callbacks of the WhatsApp Cloud API.

https://developers.facebook.com/docs/graph-api/webhooks/getting-started: the header `X-Hub-Signature-256` is
`sha256=` and the HMAC-SHA256, in hex, of the body under the app's secret. The body names its phone numbers.

Meta puts several updates into one callback and groups them differently when it retries, so a callback has no stable id.
Its messages and statuses have one. Each becomes an item of its own with that id: regrouping can't repeat or hide an
item, no tenant sees another tenant's, and an item that can't be processed does not stop the others.
"""

import asyncio
import hashlib
import hmac
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeGuard

from callmissed.errors import payload_too_large
from callmissed.integrations.callbacks import PLATFORM
from callmissed.integrations.credentials import whatsapp_account, whatsapp_business_account
from callmissed.integrations.whatsapp_payloads import (
    PROCESSED_FIELDS,
    JsonObject,
    as_list,
    as_object,
    as_text,
    parse,
    status_identity,
)
from callmissed.observability import count, get_logger
from callmissed.platform.queues.sources import WHATSAPP_CALLBACK
from functions.webhooks.callbacks.receive import (
    MAX_CALLBACK_BYTES,
    Callback,
    CallbackItem,
    invalid_signature,
)
from functions.webhooks.callbacks.signers import Signers
from functions.webhooks.callbacks.whatsapp.fields import OTHER_FIELDS

_AT_ONCE = 20
"""Phone numbers that are looked up at once: each costs a read. If none of the first ones fits, the rest are not."""

MAX_UPDATES = 1_000
"""Maximum messages and statuses in one callback, from Meta's documentation."""

_MAX_NUMBER_LENGTH = 100
_MAX_ITEM_BYTES = 4 * MAX_CALLBACK_BYTES
"""Maximum size of the items of one callback: each repeats the shared parts, such as the number."""

_END_USERS = {
    "messages": ("from", "from_user_id"),
    "message_echoes": ("to", "to_user_id"),
    "statuses": ("recipient_id", "recipient_user_id", "recipient_participant_id", "recipient_participant_user_id"),
}
"""Where a part names its end user. These are the lists that become items of their own."""

_SIGNATURE = "x-hub-signature-256"
_logger = get_logger("callbacks")


@dataclass(frozen=True, slots=True)
class SignedChange:
    """A change in a signed body, or what stands in a change's place.

    `number` is the tenant's phone number id; None where the change names none. `entry` is the id of the WhatsApp
    Business account; None where `content` is an entry without changes. `content` is kept as received: the worker reads
    messages and statuses.
    """

    number: str | None
    entry: str | None
    content: Any

    @property
    def passed_over(self) -> str | None:
        """The field that nothing processes, by Meta's name or as `other`; None for a change that is stored."""
        name = as_object(self.content).get("field")
        if not isinstance(name, str) or not name or name in PROCESSED_FIELDS:
            return None
        return name if name in OTHER_FIELDS else "other"


class WhatsApp:
    """Verifies callbacks of WhatsApp and splits them into items."""

    def __init__(self, signers: Signers) -> None:
        self._signers = signers

    async def verify(self, callback: Callback) -> list[CallbackItem]:
        """See `receive.Verify`. Accepts only changes of numbers whose secret signed the callback.

        A change that names no number is stored for the tenant of all the others, or for the platform if there is no
        such tenant. Fields that nothing processes are counted, and become no item. Raises ApiError 413 for more items
        than Meta sends.
        """
        try:
            changes = list(_changes(callback.body))
            numbers = {change.number for change in changes if change.number}
            owners = await (self._owners(numbers, callback) if numbers else self._platform(changes, callback))
            items = _bounded(item for change in changes for item in _items(owners, change))
        except RecursionError:
            raise invalid_signature() from None
        _count_passed_over(change.passed_over for change in changes if change.number in owners)
        return items

    async def _owners(self, numbers: set[str], callback: Callback) -> dict[str | None, str]:
        """Tenants by number, and by None that of changes without one. Raises ApiError 401 if no secret fits."""
        if len(numbers) > MAX_UPDATES:
            raise invalid_signature()
        found = await self._signed_for(sorted(numbers), callback)
        if not found:
            raise invalid_signature()
        tenants = set(found.values())
        if unsigned := len(numbers) - len(found):
            _logger.warning("left out what was signed for other numbers only", extra={"numbers": unsigned})
        return found | {None: tenants.pop() if len(tenants) == 1 and not unsigned else PLATFORM}

    async def _platform(self, changes: Sequence[SignedChange], callback: Callback) -> dict[str | None, str]:
        """The platform, as owner of a callback without numbers that the secret of one of its accounts signed.

        Raises ApiError 401.
        """
        accounts = sorted({change.entry for change in changes if _is_id(change.entry)})[:_AT_ONCE]
        if not await self._signed_for(accounts, callback, whatsapp_business_account):
            raise invalid_signature()
        return {None: PLATFORM}

    async def _signed_for(
        self, numbers: Sequence[str], callback: Callback, account_of: Callable[[str], str] = whatsapp_account
    ) -> dict[str | None, str]:
        """Tenants by those of `numbers` whose secret signed the callback. A forged one ends with the first numbers."""
        found: dict[str | None, str] = {}

        @cache
        def signed(secret: str) -> bool:
            return _signed(secret, callback)

        for start in range(0, len(numbers), _AT_ONCE):
            some = numbers[start : start + _AT_ONCE]
            tenants = await asyncio.gather(*(self._signers.tenant(account_of(each), signed) for each in some))
            found |= {number: tenant for number, tenant in zip(some, tenants, strict=True) if tenant}
            if not found:
                break
        return found


def _signed(secret: str, callback: Callback) -> bool:
    expected = "sha256=" + hmac.digest(secret.encode(), callback.body, "sha256").hex()
    return hmac.compare_digest(expected.encode(), callback.headers.get(_SIGNATURE, "").encode())


def _count_passed_over(names: Iterable[str | None]) -> None:
    fields = Counter(filter(None, names))
    if fields:
        count("CallbackPassedOver", fields.total())
        _logger.info("fields of WhatsApp were passed over", extra={"fields": dict(fields)})


def _changes(body: bytes) -> Iterator[SignedChange]:
    """Every change of `body`, readable or not. Raises ApiError 401 for a body that is no object, RecursionError."""
    try:
        parsed = parse(body)
    except ValueError:
        raise invalid_signature() from None  # without a number there is no secret to verify with
    for entry in as_list(as_object(parsed).get("entry")):
        fields = as_object(entry)
        changes = as_list(fields.get("changes"))
        if not changes:
            yield SignedChange(None, None, entry)
        for change in changes:
            yield SignedChange(_number(change), as_text(fields.get("id")) or "", change)


def _number(change: Any) -> str | None:
    """The phone number id in `change`, if it may be one."""
    metadata = as_object(as_object(as_object(change).get("value")).get("metadata"))
    number = as_text(metadata.get("phone_number_id"))
    return number if _is_id(number) else None


def _is_id(text: str | None) -> TypeGuard[str]:
    """Whether `text` may be an id of a number or an account."""
    return bool(text) and len(text) <= _MAX_NUMBER_LENGTH and text.isprintable()


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


def _items(owners: Mapping[str | None, str], change: SignedChange) -> Iterator[CallbackItem]:
    """An item for each message and each status; one for what has neither. No item of a change that is nobody's."""
    tenant = owners.get(change.number)
    if tenant is None or change.passed_over:
        return
    account = whatsapp_account(change.number or tenant)
    for own_id, entry in _parts(change):
        body = {"object": "whatsapp_business_account", "entry": [entry]}
        yield CallbackItem(tenant, WHATSAPP_CALLBACK, account, own_id, json.dumps(body, separators=(",", ":")))


def _parts(change: SignedChange) -> Iterator[tuple[str, Any]]:
    """Id and entry of each item."""
    if not change.number:
        yield f"unknown\0{_digest(change.content)}", _entry(change, change.content)
        return
    content = as_object(change.content)
    value = as_object(content.get("value"))
    lists = {name: parts for name in _END_USERS if (parts := as_list(value.get(name)))}
    around = {name: part for name, part in value.items() if name not in lists}
    contacts = _contacts(as_list(around.pop("contacts", None))) if lists else {}
    for name, parts in lists.items():
        for part in parts:
            own = {"contacts": found} if (found := _own_contacts(contacts, name, part)) else {}
            yield _part_id(name, part), _entry(change, content | {"value": around | own | {name: [part]}})
    if not lists:
        yield f"change\0{content.get('field')}\0{_digest(value)}", _entry(change, content)


def _contacts(contacts: Sequence[Any]) -> dict[str | None, Any]:
    """Contacts by each name of the end user, and by None the only one."""
    named: dict[str | None, Any] = {None: contacts[0]} if len(contacts) == 1 else {}
    for contact in contacts:
        for name in map(as_object(contact).get, ("wa_id", "user_id")):
            named.setdefault(as_text(name) or "", contact)
    return named


def _own_contacts(contacts: Mapping[str | None, Any], name: str, part: Any) -> list[Any]:
    """The contact of the part's end user, or the only one where the part names nobody."""
    fields: JsonObject = as_object(part)
    # An echo may have the number with a plus, and a contact has it without.
    known = [each.removeprefix("+") for each in (as_text(fields.get(own)) for own in _END_USERS[name]) if each]
    for each in known or [None]:
        if each in contacts:
            return [contacts[each]]
    return []


def _entry(change: SignedChange, content: Any) -> Any:
    return content if change.entry is None else {"id": change.entry, "changes": [content]}


def _part_id(name: str, part: Any) -> str:
    """The provider's id of a message or status, or the digest of its content without one."""
    fields = as_object(part)
    if name == "statuses":
        return "\0".join(["status", *(status_identity(fields) or [_digest(part)])])
    kind = "echo" if name == "message_echoes" else "message"
    return f"{kind}\0{as_text(fields.get('id')) or _digest(part)}"


def _digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
