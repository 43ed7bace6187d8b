"""Strategies for JSON that an upstream or a caller may send."""

from collections.abc import Iterator, Sequence
from typing import Any

from hypothesis import strategies as st

texts = st.text(st.characters(exclude_categories=["Cs"]))
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts
anything = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3), max_leaves=10
)


def with_something_else(value: Any, data: st.DataObject) -> Any:
    """`value` with any JSON in the place of one of the values in it."""
    if isinstance(value, dict) and value and data.draw(st.booleans()):
        name = data.draw(st.sampled_from(sorted(value)))  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]  any JSON
        return {**value, name: with_something_else(value[name], data)}
    if isinstance(value, list) and value and data.draw(st.booleans()):
        return [with_something_else(each, data) for each in value]  # pyright: ignore[reportUnknownVariableType]  any JSON
    return data.draw(anything)


def changed(value: Any, others: Sequence[Any]) -> Iterator[Any]:
    """`value` with each of `others` in each place inside, and without each field."""
    fields = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for place, inner in fields:  # pyright: ignore[reportUnknownVariableType]  any JSON
        for other in (*others, *changed(inner, others)):
            copy = value.copy()
            copy[place] = other
            yield copy
        if isinstance(value, dict):
            yield {name: each for name, each in value.items() if name != place}  # pyright: ignore[reportUnknownVariableType]  any JSON
