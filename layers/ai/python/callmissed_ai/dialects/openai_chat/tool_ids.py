"""Ids of tool calls, which other dialects write in other alphabets and lengths."""

import hashlib
import re

_ACCEPTED = re.compile(r"[A-Za-z0-9_-]{1,40}")


def upstream_id(call_id: str) -> str:
    """`call_id` as every chat upstream accepts it. The same id has the same form in a call and in its result."""
    if _ACCEPTED.fullmatch(call_id):
        return call_id
    return f"call_{hashlib.sha256(call_id.encode()).hexdigest()[:24]}"
