"""Ids of tool calls in the alphabet and length of a dialect."""

import hashlib
import re


def restricted_id(call_id: str, accepted: re.Pattern[str], prefix: str) -> str:
    """`call_id` where it is `accepted`, else one made of it; a call and its result get the same."""
    if accepted.fullmatch(call_id):
        return call_id
    return prefix + hashlib.sha256(call_id.encode(errors="surrogatepass")).hexdigest()[:24]
