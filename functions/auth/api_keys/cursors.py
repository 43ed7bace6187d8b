"""Cursors of the list of keys: the position at which a page ended. Opaque to callers."""

import base64
import binascii
import re

from callmissed.errors import ApiError

CURSOR = "^[A-Za-z0-9_-]{71}$"
"""Pattern of every cursor; not every text that fits is one."""

_POSITION = re.compile(r"[0-9T:.-]{23}Z key_[0-9a-f]{24}")


def cursor_after(position: str) -> str:
    """The cursor of the page after the key at the position."""
    return base64.urlsafe_b64encode(position.encode()).decode().rstrip("=")


def position_of(cursor: str) -> str:
    """The position behind which the page begins. Raises ApiError 422."""
    try:
        position = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        position = ""
    if not _POSITION.fullmatch(position):
        details = [{"loc": ["query", "cursor"], "msg": "It is none that a page ended with"}]
        raise ApiError(422, "invalid_request_error", "The request is invalid.", details=details)
    return position
