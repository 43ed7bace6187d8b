"""Where thoughts stand in a message that has them apart from its text and its calls.

Claude thinks between texts and calls, and signs each thought in its place, but a chat message has fields for each kind.
The `id` of a thought's detail says how many characters and calls come before it, where any do.
"""

import re
from collections.abc import Iterator, Sequence

from callmissed_ai.dialects.conversation import Part, Text

_PLACE = re.compile(r"after-([0-9]{1,9})-([0-9]{1,9})")


def place(characters: int, calls: int) -> dict[str, str]:
    """The field of a detail for a thought after so many characters and calls."""
    return {"id": f"after-{characters}-{calls}"} if characters or calls else {}


def placed(thoughts: Sequence[tuple[object, Part]], said: Sequence[Part], calls: Sequence[Part]) -> Iterator[Part]:
    """The parts of a message in their order. Each of the `thoughts` comes with the `id` of its detail."""
    rest, characters, called = list(said), 0, 0
    for given, thought in thoughts:
        found = _PLACE.fullmatch(given) if isinstance(given, str) else None
        wanted, before = (int(found[1]), int(found[2])) if found else (0, 0)
        while rest and (before or characters < wanted):
            first, *others = _cut(rest[0], len(_text(rest[0])) if before else wanted - characters)
            characters += len(_text(first))
            rest[:1] = others
            yield first
        yield from calls[called:before]
        called = max(called, before)
        yield thought
    yield from rest
    yield from calls[called:]


def _text(part: Part) -> str:
    return part.text if isinstance(part, Text) else ""


def _cut(part: Part, characters: int) -> list[Part]:
    """A part in two where it is a longer text, which keeps its extras at its end."""
    if not isinstance(part, Text) or len(part.text) <= characters:
        return [part]
    return [Text(part.text[:characters]), Text(part.text[characters:], part.extras)]
