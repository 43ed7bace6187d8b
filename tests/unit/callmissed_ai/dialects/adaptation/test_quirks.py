"""Each quirk: what it changes in a request, and what it leaves as it is."""

from typing import Any, get_args

import pytest

from callmissed.catalog.loader import load_catalog
from callmissed.catalog.model import Quirk
from callmissed_ai.dialects.adaptation.quirks import ADAPTATIONS, adapted
from callmissed_ai.services import chat

USER = {"role": "user", "content": "Hello"}
LOOK = {"type": "function", "function": {"name": "look", "arguments": "{}"}}
CALLING = {"role": "assistant", "content": None, "tool_calls": [{"id": "call_1", **LOOK}]}
RESULT = {"role": "tool", "tool_call_id": "call_1", "content": "seen"}
IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBO"}}
TEXTS = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]


def message(**fields: Any) -> dict[str, Any]:
    return {"messages": [USER, {**CALLING, **fields}, RESULT]}


CHANGES: list[tuple[Quirk, dict[str, Any], dict[str, Any]]] = [
    ("any_for_required", {"tool_choice": "required"}, {"tool_choice": "any"}),
    ("any_for_required", {"tool_choice": "auto"}, {"tool_choice": "auto"}),
    (
        "no_developer_role",
        {"messages": [{"role": "developer", "content": "Be kind."}, USER]},
        {"messages": [{"role": "system", "content": "Be kind."}, USER]},
    ),
    ("no_past_reasoning", message(reasoning="a", reasoning_content="b", reasoning_details=[]), message()),
    ("no_reasoning_content", message(reasoning="a", reasoning_content="b"), message(reasoning="a")),
    ("no_stream_options", {"stream": True, "stream_options": {"include_usage": True}}, {"stream": True}),
    ("no_user_fields", {"user": "u", "store": False, "metadata": {}, "seed": 1}, {"seed": 1}),
    ("random_seed", {"seed": 7}, {"random_seed": 7}),
    ("random_seed", {"seed": 0}, {"random_seed": 0}),
    ("random_seed", {"temperature": 1}, {"temperature": 1}),
    ("reasoning_with_calls", message(), message(reasoning_content=" ")),
    ("reasoning_with_calls", message(reasoning_content=""), message(reasoning_content=" ")),
    ("reasoning_with_calls", message(reasoning_content="Hm"), message(reasoning_content="Hm")),
    ("reasoning_with_calls", message(reasoning="Hm"), message(reasoning="Hm", reasoning_content="Hm")),
    ("reasoning_with_calls", {"messages": [USER]}, {"messages": [USER]}),
    (
        "text_as_string",
        {"messages": [{"role": "user", "content": TEXTS}, {"role": "user", "content": [*TEXTS, IMAGE]}]},
        {"messages": [{"role": "user", "content": "a\nb"}, {"role": "user", "content": [*TEXTS, IMAGE]}]},
    ),
]


@pytest.mark.parametrize(("quirk", "body", "sent"), CHANGES)
def test_quirk_changes_what_its_name_says(quirk: Quirk, body: dict[str, Any], sent: dict[str, Any]) -> None:
    whole = {"messages": [USER], **body}

    assert adapted(whole, {quirk}) == {"messages": [USER], **sent}


def test_short_ids_join_calls_and_results() -> None:
    body = {
        "messages": [USER, {**CALLING, "tool_calls": [{"id": "abcDEF123", **LOOK}, {"id": "call_1", **LOOK}]}, RESULT]
    }

    _, calling, result = adapted(body, {"short_call_ids"})["messages"]

    kept, changed = (call["id"] for call in calling["tool_calls"])
    assert (kept, result["tool_call_id"]) == ("abcDEF123", changed)
    assert len(changed) == 9
    assert changed.isalnum()
    assert changed.isascii()
    assert body["messages"][2] == RESULT, "the caller's request stays as it was, for the next provider"


def test_every_quirk_has_its_function_and_a_provider() -> None:
    names = set(get_args(Quirk))

    assert set(ADAPTATIONS) == names
    assert {quirk for row in load_catalog().providers.values() for quirk in row.quirks} == names


def test_quirks_of_a_provider_are_applied_to_its_requests_alone() -> None:
    catalog = load_catalog()
    body: dict[str, Any] = {
        "model": "mistralai/mistral-small-2603",
        "stream": True,
        "seed": 1,
        "user": "u",
        "tool_choice": "required",
        "tools": [{"type": "function", "function": {"name": "look"}}],
        "messages": [
            {"role": "developer", "content": "Be kind."},
            USER,
            {**CALLING, "reasoning_content": "Hm"},
            RESULT,
        ],
    }
    work = chat.parse("openai_chat", catalog, body, 1_000)
    model = work.models[0]

    plain, changed = (work.request_for(model, route).json for route in model.routes)

    assert plain["messages"][1:] == body["messages"][1:]
    assert plain["stream_options"] == {"include_usage": True}
    assert changed.keys() == {"model", "stream", "random_seed", "tool_choice", "tools", "messages", "max_tokens"}
    assert changed["tool_choice"] == "any"
    assert "reasoning_content" not in changed["messages"][2]
