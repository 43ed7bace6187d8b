"""Where a conversation may begin when its oldest turns are left out.

A turn begins with a message of the user's. Instructions among the items stay, and no result of a tool loses its call.
"""

from collections.abc import Iterator, Sequence

from callmissed_ai.services.responses_store.records import JsonObject

_INSTRUCTIONS = ("system", "developer")
"""Roles of instructions. They are compared, not looked up, as a request may have any JSON in their place."""


def starts(items: Sequence[JsonObject]) -> Iterator[int]:
    """Where the items may begin: at the first, and at each turn whose results of tools have their calls in it."""
    results = {_call_id(item): place for place, item in enumerate(items) if item.get("type") == "function_call_output"}
    answered = -1
    yield 0
    for place, item in enumerate(items):
        if place > max(0, answered) and item.get("role") == "user":
            yield place
        if item.get("type") == "function_call":
            answered = max(answered, results.get(_call_id(item), -1))


def kept_from(items: Sequence[JsonObject], start: int) -> list[int]:
    """Places of the items that stay when the others before `start` are left out."""
    return [place for place, item in enumerate(items) if place >= start or is_instruction(item)]


def is_instruction(item: JsonObject) -> bool:
    """Whether an item is an instruction, which stays wherever it is."""
    return item.get("role") in _INSTRUCTIONS


def first_that_fits(
    items: Sequence[JsonObject], candidates: Iterator[int], weights: Sequence[int], room: int
) -> int | None:
    """The first of the ascending `candidates` from which on the items weigh at most `room`; None if all weigh more."""
    weight, gone = sum(weights), 0
    for start in candidates:
        weight -= sum(weights[place] for place in range(gone, start) if not is_instruction(items[place]))
        gone = max(gone, start)
        if weight <= room:
            return start
    return None


def _call_id(item: JsonObject) -> str:
    return str(item.get("call_id"))
