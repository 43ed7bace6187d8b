"""Ids of media. Ours name the number whose token reaches them, or the message that they came with.

mda_<phone number id>_<Meta's id>     uploaded by the tenant
med_<conversation id>_<message id>    of a user's message
<Meta's id>                           with the number in the query
"""

import re
from dataclasses import dataclass

_UPLOADED = re.compile(r"mda_([0-9]{1,40})_([0-9]{1,40})")
_RECEIVED = re.compile(r"med_([0-9a-f-]{36})_([0-9A-Z]{22})")
_META = re.compile(r"[0-9]{1,40}")


@dataclass(frozen=True, slots=True)
class MetaMedia:
    """Meta's id of media, and the number whose token reaches them, if the id names it."""

    media_id: str
    number_id: str | None = None


def uploaded_id(number_id: str, media_id: str) -> str:
    """Our id of media that were uploaded for the number."""
    return f"mda_{number_id}_{media_id}"


def named_media(text: str) -> MetaMedia | None:
    """The media that an id of an upload, or an id of Meta's, names."""
    if found := _UPLOADED.fullmatch(text):
        return MetaMedia(found[2], found[1])
    return MetaMedia(text) if _META.fullmatch(text) else None


def is_media_id(text: str) -> bool:
    """Whether `text` has the form of an id of media."""
    return named_media(text) is not None or receiving_message(text) is not None


def receiving_message(text: str) -> tuple[str, str] | None:
    """Ids of the conversation and the message that media came with; None for other ids."""
    found = _RECEIVED.fullmatch(text)
    return (found[1], f"msg_{found[2]}") if found else None
