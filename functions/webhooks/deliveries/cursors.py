"""Cursors: the end of a page. Opaque to callers; any text is a position among the same webhook's deliveries."""

import base64
import binascii
import re

from functions.webhooks.deliveries.errors import unprocessable
from functions.webhooks.storage.records import FIRST_DELIVERY

CURSOR = "^[A-Za-z0-9_-]{35}$"
"""Pattern of every cursor; not every text that fits is one."""

# The alphabet of callmissed.ids
_ID = re.compile(r"dlv_[0-9A-HJKMNP-TV-Z]{22}")


def is_delivery_id(text: str) -> bool:
    """Whether `text` has the shape of a delivery's id."""
    return bool(_ID.fullmatch(text))


def cursor_after(delivery_id: str) -> str:
    """The cursor of the page after the delivery."""
    return base64.urlsafe_b64encode(delivery_id.encode()).decode().rstrip("=")


def key_behind(cursor: str) -> str:
    """The sort key up to which deliveries are behind `cursor`, newest first. Raises ApiError 422."""
    try:
        id = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        id = ""
    if not is_delivery_id(id):
        raise unprocessable("query", "cursor", "It is none that a page ended with")
    return FIRST_DELIVERY + before(id)


def before(id: str) -> str:
    """A text between the delivery `id`, or a sort key that ends with it, and all that sort before it."""
    return id[:-1] + chr(ord(id[-1]) - 1)
