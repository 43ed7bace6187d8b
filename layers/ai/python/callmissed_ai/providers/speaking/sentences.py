"""Cutting a text into pieces that a provider takes, where a speaker would pause."""

import re

_ENDS = (
    re.compile(
        r"[.!?\u0964\u0965\u3002\uff01\uff1f\u2026]+[\"'\u201d\u2019)\]]*\s+|[\n\r]+|[\u0964\u3002\uff01\uff1f]"
    ),
    re.compile(r"[,;:\uff0c\uff1b\u3001]\s*"),
    re.compile(r"\s+"),
)
"""Where to cut: after sentences if that can be, else after clauses, else between words."""


def pieces_of(text: str, limit: int) -> list[str]:
    """`text` in pieces of at most `limit` code points, in order, without pieces of blanks alone."""
    pieces: list[str] = []
    while len(text) > limit:
        cut = _cut(text[:limit])
        pieces.append(text[:cut])
        text = text[cut:]
    return [piece for piece in (*pieces, text) if piece.strip()]


def _cut(room: str) -> int:
    """Where to end a piece that may be `room`: in its second half if that can be, so that pieces are few."""
    for ends in _ENDS:
        found = [end.end() for end in ends.finditer(room)]
        if found and found[-1] * 2 >= len(room) and room[: found[-1]].strip():
            return found[-1]
    return len(room)
