"""What a call may cost at most is never less than what it can cost, whatever the body holds."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from callmissed.aws.database import Database
from callmissed.aws.dynamodb import DynamoDB
from callmissed.catalog.loader import load_catalog
from callmissed.catalog.model import Catalog, DialectName
from callmissed.clock import Micros
from callmissed.ids import new_call_id
from callmissed.ledger.holds import Ledger
from callmissed.money import MicroCredits
from callmissed_ai.dialects.openai_chat.request import max_input_tokens
from callmissed_ai.dialects.opening import open_dialect
from callmissed_ai.services.chat import parse
from callmissed_ai.services.conversations.work import ChatWork
from callmissed_ai.tokens.bounds import IMAGE_TOKENS
from callmissed_ai.tokens.usage import MAX_TOKENS

_KINDS = ("file", "video_url", "document_url", "something_new")
_BUILT_IN = load_catalog()
_PROVIDERS = dict(_BUILT_IN.providers)
_PROVIDERS["sandbox"] = replace(
    _PROVIDERS["sandbox"], unpriced_fields=frozenset(f"messages.content.{kind}" for kind in _KINDS)
)
_CATALOG = Catalog(_BUILT_IN.models, _PROVIDERS)


def _work(part: dict[str, Any]) -> tuple[ChatWork, int]:
    text = {"type": "text", "text": "hello"}
    body = {"model": "sandbox", "max_tokens": 10, "messages": [{"role": "user", "content": [text, part]}]}
    size = len(json.dumps(body, separators=(",", ":")))
    return parse("openai_chat", _CATALOG, body, size), size


@pytest.mark.parametrize(
    "image",
    [
        {"url": [1e15] * 50_000},  # Python writes each of these in 18 characters, a caller may in 4
        {"url": {"a": [1e15] * 50_000}},
        [1e15] * 50_000,
        {"url": 1e15},
        {},
        None,
    ],
)
def test_an_image_whose_url_is_no_text_takes_nothing_off_the_bound(image: object) -> None:
    part = {"type": "image_url", "image_url": image}
    size = len(json.dumps(part))

    assert max_input_tokens([part], size) >= size + IMAGE_TOKENS


def test_the_bytes_of_an_image_are_counted_as_an_image() -> None:
    url = "data:image/png;base64," + "A" * 100_000
    work, size = _work({"type": "image_url", "image_url": {"url": url}})
    assert IMAGE_TOKENS < work.request.asked.input_tokens < size


@pytest.mark.parametrize("kind", _KINDS)
def test_a_part_that_stands_for_more_than_it_is_long_is_bounded_by_the_window(kind: str) -> None:
    work, _ = _work({"type": kind, kind: {"url": "https://example.com/thousand-pages.pdf"}})
    model = work.models[0]
    assert model.context_window is not None
    assert model.price is not None
    assert work.estimate * 1_000_000 >= model.context_window * model.price.input


async def test_a_hold_below_zero_is_refused_before_it_is_sent() -> None:
    ledger = Ledger(Database(DynamoDB("us-east-1", "http://127.0.0.1:9"), "test"))
    with pytest.raises(ValueError, match="negative"):
        await ledger.hold("tnt_1", new_call_id(Micros(0), 20), "llm", MicroCredits(-1))


_PDF = {"type": "document", "source": {"type": "url", "url": "https://host.test/a.pdf"}}
_DATA = {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="}}
_NOTE = {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "note"}}


def _asked_of_messages(*blocks: Mapping[str, Any], **fields: Any) -> int:
    body = {"model": "lab", "max_tokens": 5, "messages": [{"role": "user", "content": [*blocks]}], **fields}
    return open_dialect("anthropic_messages").ask(body, 200).input_tokens


@pytest.mark.parametrize("document", [_PDF, _DATA])
@pytest.mark.parametrize("in_result", [False, True])
def test_a_document_of_messages_may_fill_the_window(document: Mapping[str, Any], *, in_result: bool) -> None:
    block = {"type": "tool_result", "tool_use_id": "a", "content": [document]} if in_result else document

    assert _asked_of_messages(block) == MAX_TOKENS
    assert _asked_of_messages(_NOTE) < 1_000


@pytest.mark.parametrize(
    ("dialect", "plain", "instructed"),
    [
        ("openai_chat", {"messages": [{"role": "user", "content": "x"}]}, {"tools": [{"type": "function"}]}),
        ("openai_chat", {"messages": [{"role": "user", "content": "x"}]}, {"response_format": {"type": "json_object"}}),
        (
            "anthropic_messages",
            {"max_tokens": 5, "messages": [{"role": "user", "content": "x"}]},
            {"tools": [{"name": "f", "input_schema": {}}]},
        ),
        (
            "anthropic_messages",
            {"max_tokens": 5, "messages": [{"role": "user", "content": "x"}]},
            {"output_config": {"format": {"type": "json_schema", "schema": {}}}},
        ),
        ("openai_responses", {"input": "x"}, {"tools": [{"type": "function", "name": "f"}]}),
        ("openai_responses", {"input": "x"}, {"text": {"format": {"type": "json_object"}}}),
    ],
)
def test_the_bound_has_room_for_the_providers_own_words(
    dialect: DialectName, plain: dict[str, Any], instructed: dict[str, Any]
) -> None:
    """Anthropic adds some hundred tokens of its own to a request with tools."""
    asked = open_dialect(dialect).ask({"model": "lab", **plain, **instructed}, 100)

    assert asked.input_tokens - open_dialect(dialect).ask({"model": "lab", **plain}, 100).input_tokens > 700
    assert asked.input_tokens >= 100 + 1_000
