"""Filters, and the versions that events are published in."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callmissed.events.types import EVENT_TYPES, PATTERNS, MessageReceived, MessageStatus, is_pattern, matches


@given(st.sampled_from(PATTERNS) | st.text("abcdeginrstv_.*", max_size=20))
def test_a_filter_is_known_if_it_selects_something(pattern: str) -> None:
    assert is_pattern(pattern) == any(matches(pattern, event) for event in EVENT_TYPES)


@pytest.mark.parametrize("kind", [MessageReceived, MessageStatus])
def test_data_of_version_1_fits_version_2(kind: type[MessageReceived] | type[MessageStatus]) -> None:
    old = {name: part for name, part in kind.example.items() if name not in ("user_id", "errors", "content")}

    assert kind.version == 2
    assert kind.model_validate(old).model_dump(by_alias=True).items() >= old.items()


@pytest.mark.parametrize("name", EVENT_TYPES)
def test_an_example_is_valid(name: str) -> None:
    kind = EVENT_TYPES[name]

    assert kind.model_validate(kind.example)
