"""Splitting of a text into messages that WhatsApp takes."""

MAX_PART = 4096
"""Maximum characters of a text message. UTF-16 code units are counted: no count of Meta's is larger."""

_BREAKS = (r"\n\s*\n\s*", r"\n\s*", r"[.!?…।॥。！？]['\"”’)\]]*\s+", r"\s+")  # noqa: RUF001
"""Ends of a paragraph, a line, a sentence and a word."""


def text_parts(text: str, limit: int = MAX_PART) -> list[str]:
    """`text` in parts of at most `limit` code units, in their order.

    A part ends at a paragraph where that leaves it half full, else at a line, a sentence, a word, or between two
    graphemes. Only white space where a part ends is lost. A grapheme over the limit is cut between characters. Text
    of white space alone has no parts.
    """
    if units(text) <= limit:
        return [text] if text.strip() else []
    parts: list[str] = []
    rest = text.strip()
    while units(rest) > limit:
        head = rest[: _fitting(rest, limit)]
        end = _end(head, rest, limit)
        parts.append(rest[:end].rstrip())
        rest = rest[end:].lstrip()
    return [part for part in (*parts, rest) if part]


def units(text: str) -> int:
    """Length in UTF-16 code units."""
    return len(text) + sum(letter > "\uffff" for letter in text)


def _fitting(text: str, limit: int) -> int:
    """How many characters of `text` fit."""
    used = 0
    for index, letter in enumerate(text[: limit + 1]):
        used += 1 + (letter > "\uffff")
        if used > limit:
            return max(index, 1)
    return len(text)


def _end(head: str, text: str, limit: int) -> int:
    """Where the part ends: at most one character after `head`, if that is white space."""
    import regex  # few texts are long, and the module takes long to import

    near = text[: len(head) + 64]
    between = {match.end() for match in regex.finditer(r"\X", near)}
    for pattern in _BREAKS:
        ends = [match.end() for match in regex.finditer(pattern, near[: len(head) + 1]) if match.end() in between]
        if ends and units(head[: ends[-1]].rstrip()) * 2 >= limit:
            return ends[-1]
    return max((end for end in between if end <= len(head)), default=len(head))
