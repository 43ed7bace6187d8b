"""Media by URL in requests: where they are found, and what stands there once they are inline."""

from typing import Any

import pytest

from callmissed_ai.dialects.adaptation.media import media_urls, with_inline_media
from callmissed_ai.transports.media import InlineMedia, MediaUrl

URL = "https://files.test/a"
PNG = InlineMedia("image/png", "iVBO")
PDF = InlineMedia("application/pdf", "JVBE")
DATA = "data:image/png;base64,iVBO"


def chat(part: dict[str, Any]) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": [{"type": "text", "text": "See"}, part]}]}


def result(part: dict[str, Any]) -> dict[str, Any]:
    block = {"type": "tool_result", "tool_use_id": "a", "content": [part]}
    return {"messages": [{"role": "user", "content": [block]}]}


def item(part: dict[str, Any]) -> dict[str, Any]:
    return {"input": [{"type": "function_call_output", "call_id": "a", "output": [part]}]}


SOURCE = {"type": "url", "url": URL}
INLINE = {"type": "base64", "media_type": "image/png", "data": "iVBO"}
PDF_INLINE = {"type": "base64", "media_type": "application/pdf", "data": "JVBE"}
CASES: list[tuple[Any, dict[str, Any], dict[str, Any], str, bool]] = [
    (
        chat,
        {"type": "image_url", "image_url": {"url": URL, "detail": "low"}},
        {"type": "image_url", "image_url": {"url": DATA, "detail": "low"}},
        "messages.0.content.1",
        False,
    ),
    (
        chat,
        {"type": "image_url", "image_url": URL},
        {"type": "image_url", "image_url": DATA},
        "messages.0.content.1",
        False,
    ),
    (chat, {"type": "image", "source": SOURCE}, {"type": "image", "source": INLINE}, "messages.0.content.1", False),
    (
        result,
        {"type": "document", "source": SOURCE, "title": "T"},
        {"type": "document", "source": PDF_INLINE, "title": "T"},
        "messages.0.content.0.content.0",
        True,
    ),
    (
        item,
        {"type": "input_image", "image_url": URL, "detail": "auto"},
        {"type": "input_image", "image_url": DATA, "detail": "auto"},
        "input.0.output.0",
        False,
    ),
    (
        item,
        {"type": "input_file", "file_url": URL},
        {"type": "input_file", "file_data": "data:application/pdf;base64,JVBE", "filename": "file.pdf"},
        "input.0.output.0",
        True,
    ),
]


@pytest.mark.parametrize(("request_with", "part", "inline", "param", "is_document"), CASES)
def test_url_is_found_and_replaced(
    request_with: Any, part: dict[str, Any], inline: dict[str, Any], param: str, is_document: bool
) -> None:
    body = request_with(part)

    assert media_urls(body) == [MediaUrl(URL, param, is_document)]
    assert with_inline_media(body, {URL: PDF if is_document else PNG}) == request_with(inline)
    assert media_urls(request_with(inline)) == []
    assert body == request_with(part)


@pytest.mark.parametrize(
    "body",
    [
        {"messages": [{"role": "user", "content": "See https://files.test/a"}]},
        {"input": "Hello"},
        {
            "messages": [
                {"role": "user", "content": [{"type": "tool_use", "input": {"type": "image", "source": SOURCE}}]}
            ]
        },
        {"tools": [{"type": "image", "source": SOURCE}], "messages": []},
    ],
)
def test_what_only_looks_like_media_is_none(body: dict[str, Any]) -> None:
    assert media_urls(body) == []
