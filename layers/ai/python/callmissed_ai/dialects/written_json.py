"""Writing JSON whose texts come from an upstream.

An upstream that cuts an emoji in two sends each half of the surrogate pair in an event of its own. JSON can escape such
a half, but UTF-8 can't hold it. And clients split an event stream into lines at characters that end no line there.
"""

import json
from collections.abc import Mapping

_LINE_ENDS: Mapping[str, str] = {end: f"\\u{ord(end):04x}" for end in "\x85\u2028\u2029"}
"""What Python's `splitlines` takes for the end of a line beside what JSON escapes anyway."""


def written_json(value: object) -> bytes:
    """`value` as compact JSON in UTF-8, one line for every client."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    if not text.isascii():
        for end, escaped in _LINE_ENDS.items():
            text = text.replace(end, escaped)
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
