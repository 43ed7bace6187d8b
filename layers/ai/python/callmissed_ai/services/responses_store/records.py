"""A stored response, and its stored form.

An item has the `id` of the response, its `tenant`, whether it is `sandboxed`, when it was `created` in epoch
microseconds, and when it expires, in epoch seconds (`ttl`). `body` is the rest as compressed JSON; `in_s3` says that S3
has it instead, under the item's id. `written` are the ids of the conversation's items that this response has added.

Each of them has a pointer: an item whose `id` is made of the id, with the `response` that wrote it, and the response's
`tenant` and `ttl`.
"""

import json
import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from callmissed.aws.attributes import Item
from callmissed.clock import SECOND, Micros

RETENTION_SECONDS = 30 * 24 * 3600
_FASTEST = 1
"""zlib's level: on conversations, the best one saves a seventh more and takes four times as long."""

JsonObject = Mapping[str, Any]

_POINTER = "item#"
_UNIQUE_ID = re.compile(r"[a-z]{1,20}_[0-9A-Za-z_-]{16,180}")
"""An id of an item that no other item has. Some servers number the items of each reply: those are not found by id."""


@dataclass(frozen=True, slots=True)
class Owner:
    """Who may see a response: the keys of `tenant`, its test keys if it is `sandboxed`, else its live keys."""

    tenant: str
    sandboxed: bool = False


@dataclass(frozen=True, slots=True)
class StoredResponse:
    """A `response` as it was sent, with what the model was given: the `earlier` items and the call's own `input`."""

    owner: Owner
    created: Micros
    response: JsonObject
    input: Sequence[JsonObject]
    earlier: Sequence[JsonObject] = ()

    @property
    def response_id(self) -> str:
        """Id of the response."""
        return self.response["id"]

    @property
    def given(self) -> list[JsonObject]:
        """All items that the model was given."""
        return [*self.earlier, *self.input]

    @property
    def conversation(self) -> list[JsonObject]:
        """All items until now: those that the model was given, and those that it wrote."""
        return [*self.given, *self.response["output"]]


def body_text(stored: StoredResponse) -> bytes:
    """The part of a stored response that the item's body or S3 has, as JSON."""
    return json_text({"response": stored.response, "input": stored.input, "earlier": stored.earlier})


def packed(text: bytes) -> bytes:
    """`body_text` as it is stored."""
    return zlib.compress(text, _FASTEST)


def json_text(value: object) -> bytes:
    """Compact JSON. A model may write half of a surrogate pair, which is no UTF-8: then all but ASCII is escaped."""
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:
        return json.dumps(value, separators=(",", ":")).encode()


def to_response_item(stored: StoredResponse, body: bytes | None) -> Item:
    """A stored response as an item; without `body` S3 has that."""
    item: Item = {
        "id": stored.response_id,
        "tenant": stored.owner.tenant,
        "sandboxed": stored.owner.sandboxed,
        "created": stored.created,
        "ttl": stored.created // SECOND + RETENTION_SECONDS,
    }
    if written := written_ids(stored):
        item["written"] = written
    return item | ({"in_s3": True} if body is None else {"body": body})


def written_ids(stored: StoredResponse) -> list[str]:
    """Ids by which the items are found that the response has written."""
    ids = [item.get("id") for item in stored.response["output"]]
    return list(dict.fromkeys(item_id for item_id in ids if is_unique_id(item_id)))


def is_unique_id(item_id: object) -> bool:
    """Whether this may be the id of one item alone."""
    return isinstance(item_id, str) and bool(_UNIQUE_ID.fullmatch(item_id))


def to_pointer_items(response: Item) -> list[Item]:
    """The pointers to the items that a response's item says are written by it."""
    shared = {"tenant": response["tenant"], "response": response["id"], "ttl": response["ttl"]}
    return [{"id": pointer_key(item_id), **shared} for item_id in response.get("written", ())]


def pointer_key(item_id: str) -> str:
    """The `id` of the pointer to an item."""
    return f"{_POINTER}{item_id}"


def is_pointer(item: Item) -> bool:
    """Whether an item is a pointer, and no response."""
    return item["id"].startswith(_POINTER)


def owner_of(item: Item) -> Owner:
    """Who may see the response of an item."""
    return Owner(item["tenant"], item["sandboxed"])


def stored_response_of(item: Item, body: bytes) -> StoredResponse:
    """The stored response of an item and the body that it, or S3, has."""
    parts = json.loads(zlib.decompress(body))
    return StoredResponse(owner_of(item), item["created"], parts["response"], parts["input"], parts["earlier"])
