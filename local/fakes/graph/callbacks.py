"""Callbacks: their shapes, and Meta's signature over the body's bytes.

https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/reference/messages
"""

import hmac
import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from local.fakes.graph.accounts import GraphAccount, GraphNumber
from local.fakes.graph.errors import JsonObject


@dataclass(frozen=True, slots=True)
class CallbackUpdate:
    """One message or status of a number. `user` orders updates: those of one user go out in their order.

    `name` is the list it belongs to, `messages`, `message_echoes` or `statuses`. A `contact` is shared by a callback's
    updates.
    """

    account: GraphAccount
    number: GraphNumber
    user: str
    name: str
    part: JsonObject
    contact: JsonObject | None

    @property
    def wamid(self) -> str:
        """The id of the message, or of the message that a status is about."""
        return self.part["id"]

    @property
    def field(self) -> str:
        """The field of changes in which the list is."""
        return "smb_message_echoes" if self.name == "message_echoes" else "messages"

    @property
    def place(self) -> tuple[str, str]:
        """What the updates of one change have in common, besides the account."""
        return self.number.number_id, self.field


@dataclass(frozen=True, slots=True)
class SignedCallback:
    """A callback as it goes over the wire."""

    body: bytes
    headers: dict[str, str]
    updates: tuple[CallbackUpdate, ...]

    @property
    def json(self) -> JsonObject:
        """The body, parsed."""
        return json.loads(self.body)


def signed(updates: Sequence[CallbackUpdate]) -> SignedCallback:
    """One callback with all `updates`, which belong to accounts of one app."""
    # Meta escapes slashes and what is not ASCII, so that a body which a receiver writes anew has another signature.
    body = json.dumps(_body(updates), separators=(",", ":")).replace("/", "\\/").encode()
    digest = hmac.digest(updates[0].account.app.secret.encode(), body, "sha256").hex()
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "facebookexternalua",
        "X-Hub-Signature-256": f"sha256={digest}",
    }
    return SignedCallback(body, headers, tuple(updates))


def _body(updates: Sequence[CallbackUpdate]) -> JsonObject:
    entries: list[JsonObject] = []
    for waba_id, of_account in groupby(_sorted(updates), lambda update: update.account.waba_id):
        places = groupby(of_account, lambda update: update.place)
        changes = [{"value": _value(list(updates)), "field": field} for (_, field), updates in places]
        entries.append({"id": waba_id, "changes": changes})
    return {"object": "whatsapp_business_account", "entry": entries}


def _sorted(updates: Sequence[CallbackUpdate]) -> list[CallbackUpdate]:
    return sorted(updates, key=lambda update: (update.account.waba_id, update.place))


def _value(updates: Sequence[CallbackUpdate]) -> JsonObject:
    number = updates[0].number
    metadata = {"display_phone_number": number.digits, "phone_number_id": number.number_id}
    value: JsonObject = {"messaging_product": "whatsapp", "metadata": metadata}
    contacts: list[JsonObject] = []
    for update in updates:
        if update.contact and update.contact not in contacts:
            contacts.append(update.contact)
    value |= {"contacts": contacts} if contacts else {}
    for name in ("messages", "message_echoes", "statuses"):
        if parts := [update.part for update in updates if update.name == name]:
            value[name] = parts
    return value
