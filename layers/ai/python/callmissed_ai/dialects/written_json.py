"""Writing JSON whose texts come from an upstream, which may send halves of surrogate pairs.

JSON can escape such a half, but UTF-8 can't hold it. An upstream that cuts an emoji in two sends each half in an event
of its own.
"""

import json


def written_json(value: object) -> bytes:
    """`value` as compact JSON in UTF-8."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    try:
        return text.encode()
    except UnicodeEncodeError:
        return with_whole_characters(text).encode()


def with_whole_characters(text: str) -> str:
    """`text` with the halves of pairs joined, and the replacement character for a half without the other."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def ends_in_half(text: str) -> bool:
    """Whether the last character is the first half of a pair, whose other half may follow."""
    return "\ud800" <= text[-1:] <= "\udbff"
