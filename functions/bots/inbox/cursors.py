"""Cursors: where a page ended. Opaque to callers, and of use only to the tenant and the query that got them."""

import base64
import binascii
import hashlib

from functions.bots.inbox.errors import unprocessable

CURSOR = "^[A-Za-z0-9_-]{16,200}$"
"""Pattern of every cursor; not every text that fits is one."""

_MARK_BYTES = 9


def cursor_at(position: str, *query: str) -> str:
    """The cursor of what comes after `position` in the results of `query`, whose first part is the tenant."""
    return base64.urlsafe_b64encode(_mark(query) + position.encode()).decode().rstrip("=")


def position_of(cursor: str, *query: str, name: str = "cursor") -> str:
    """The position in `cursor`. Raises ApiError 422 for a text that is none of this `query`'s cursors."""
    try:
        decoded = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        position = decoded[_MARK_BYTES:].decode("ascii")
    except (binascii.Error, ValueError):
        decoded, position = b"", ""
    if not position.isprintable() or not position or decoded[:_MARK_BYTES] != _mark(query):
        raise unprocessable("query", name, "It is none that a page of this query ended with")
    return position


def before(key: str) -> str:
    """A text between `key` and all keys of its length that sort before it."""
    return key[:-1] + chr(ord(key[-1]) - 1)


def _mark(query: tuple[str, ...]) -> bytes:
    return hashlib.sha256("\0".join(query).encode()).digest()[:_MARK_BYTES]
