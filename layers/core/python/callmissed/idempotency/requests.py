"""Identity of a request: the tenant's key, and a fingerprint of the request."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from callmissed.errors import ApiError
from callmissed.keys.secret import Mode

HEADER = "Idempotency-Key"
REPLAYED = "Idempotent-Replayed"
"""Response header: `true` on a replayed answer."""

_VISIBLE = re.compile(r"[\x21-\x7e]{1,255}")


@dataclass(frozen=True, slots=True)
class KeyedRequest:
    """A request that must run once. `record` is the hash of its key; both fields are SHA-256 in hex."""

    record: str
    fingerprint: str


def keyed_request(tenant: str, mode: str, key: str, fingerprint: str, *, person: str = "") -> KeyedRequest:
    """The request behind `tenant`'s `key`.

    Test keys have a key space of their own, without replays of live answers, and so has each `person` (a user id).
    """
    owner = (tenant, "person", person) if person else (tenant, "test") if mode == Mode.TEST else (tenant,)
    return KeyedRequest(_digest("\0".join((*owner, key)).encode()), fingerprint)


def checked_key(values: Sequence[str]) -> str | None:
    """The key among the header's `values`, or None without the header. Raises ApiError 400."""
    if not values:
        return None
    if len(values) > 1 or not _VISIBLE.fullmatch(values[0]):
        message = f"Send one {HEADER} of 1 to 255 visible ASCII characters, such as a UUID."
        raise ApiError(400, "invalid_idempotency_key", message)
    return values[0]


def fingerprint(method: str, path: str, query: bytes, body: bytes, *header_values: bytes) -> str:
    """SHA-256 of the request, in hex. Each part is hashed with its length, so that different parts never hash alike.

    `header_values` are of those headers that change what the request asks for.
    """
    return _digest(method.encode(), path.encode(), query, body, *header_values)


def _digest(*parts: bytes) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8) + part)
    return digest.hexdigest()
