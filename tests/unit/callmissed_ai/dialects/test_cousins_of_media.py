"""What public reports say of images and documents that were translated, each test by the report it names."""

from collections.abc import Mapping
from typing import Any

import pytest

from tests.support.inference.translated import (
    HELLO,
    refused,
    said,
    to_chat,
    to_messages,
)

USED: Mapping[str, Any] = {"type": "tool_use", "id": "a", "name": "weather", "input": {}}
RETURNED: Mapping[str, Any] = {"type": "tool_result", "tool_use_id": "a", "content": "sunny"}
CLAUDE_TOOL = {"name": "weather", "input_schema": {"type": "object"}}
CLAUDE = "anthropic-claude-v1"


PNG = "iVBORw0KGgoAAAANSUhEUgAA"
JPEG = "/9j/4AAQSkZJRgABAQAAAQAB"
URLS: Mapping[str, tuple[str, str, str]] = {
    "image/jpg (hermes-agent#55432, mealie#5898)": (f"data:image/jpg;base64,{JPEG}", "image/jpeg", JPEG),
    "capitals": (f"DATA:IMAGE/PNG;BASE64,{PNG}", "image/png", PNG),
    "parameters": (f"data:image/png;charset=utf-8;base64,{PNG}", "image/png", PNG),
    "another type than the bytes (openclaw#102683)": (f"data:image/jpeg;base64,{PNG}", "image/png", PNG),
    "no type": (f"data:;base64,{PNG}", "image/png", PNG),
    "white space": (f"data:image/png;base64,{PNG[:8]}\n {PNG[8:]}\n", "image/png", PNG),
    "no padding": ("data:image/png;base64,iVBORw0KGgo", "image/png", "iVBORw0KGgo="),
    "the alphabet of URLs": ("data:image/png;base64,iVBORw0KGgo-_w", "image/png", "iVBORw0KGgo+/w=="),
}


@pytest.mark.parametrize(("url", "media_type", "data"), URLS.values(), ids=URLS)
def test_image_in_a_data_url(url: str, media_type: str, data: str) -> None:
    sent = to_messages(messages=[said("user", [{"type": "image_url", "image_url": {"url": url}}])])

    assert sent["messages"][0]["content"][0]["source"] == {"type": "base64", "media_type": media_type, "data": data}


@pytest.mark.parametrize(
    "url",
    ["data:image/svg+xml;base64,PHN2Zz4=", "data:image/png;base64,*", "data:image/png,x", "http://a/b.png", "a.png"],
)
def test_image_that_anthropic_does_not_take_is_named(url: str) -> None:
    turns = [HELLO, said("user", [{"type": "text", "text": "a"}, {"type": "image_url", "image_url": {"url": url}}])]

    assert refused(to_messages, messages=turns).param == "messages.1.content.1"


def document(**more: Any) -> dict[str, Any]:
    return {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "body"}, **more}


def test_what_is_said_of_a_document_reaches_a_chat() -> None:
    sent = to_chat(messages=[said("user", [document(title="Title", context="From the archive")])])

    assert sent["messages"][0]["content"][0]["text"] == "Title\n\nFrom the archive\n\nbody"


def test_document_that_is_to_be_cited_or_is_no_text_is_named() -> None:
    """musistudio llms#68, vscode#325672: such a document was dropped."""
    cited = [said("user", [document(citations={"enabled": True})])]
    pdf = {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBE"}}

    assert refused(to_chat, messages=cited).param == "messages.0.content.0.citations"
    assert refused(to_chat, messages=[said("user", [pdf])]).param == "messages.0.content.0"
