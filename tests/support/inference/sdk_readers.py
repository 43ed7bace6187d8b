"""What the official SDKs make of the bytes of a stream."""

from collections.abc import Callable, Mapping
from typing import Any

import anthropic
import httpx2
import openai

from callmissed.catalog.model import DialectName

Read = Callable[[bytes], tuple[str, bool]]
"""The text of a stream, and whether its reply is complete; a stream that neither ends nor raises fails the test."""


class _Bytes(httpx2.BaseTransport):
    """Answers every request with the same stream."""

    body = b""

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, headers={"Content-Type": "text/event-stream"}, content=self.body, request=request)


_BYTES = _Bytes()
_HTTP = httpx2.Client(transport=_BYTES)
_OPENAI = openai.OpenAI(api_key="x", base_url="http://x", http_client=_HTTP, max_retries=0)
_ANTHROPIC = anthropic.Anthropic(api_key="x", base_url="http://x", http_client=_HTTP, max_retries=0)
_HELLO: Any = [{"role": "user", "content": "Hello"}]


def _chat(pieces: list[str]) -> bool:
    finished = False
    for chunk in _OPENAI.chat.completions.create(model="x", messages=_HELLO, stream=True):
        for choice in chunk.choices:
            pieces.append(choice.delta.content or "")
            finished = finished or choice.finish_reason is not None
    return finished


def _messages(pieces: list[str]) -> bool:
    with _ANTHROPIC.messages.stream(model="x", max_tokens=50, messages=_HELLO) as stream:
        pieces.extend(stream.text_stream)
        return stream.get_final_message().stop_reason is not None


def _responses(pieces: list[str]) -> bool:
    last = ""
    for number, event in enumerate(_OPENAI.responses.create(model="x", input="Hello", stream=True)):
        assert event.sequence_number == number
        pieces.extend([event.delta] if event.type == "response.output_text.delta" else [])
        last = event.type
    assert last in ("response.completed", "response.failed")
    return last == "response.completed"


_READERS: Mapping[DialectName, Callable[[list[str]], bool]] = {
    "openai_chat": _chat,
    "anthropic_messages": _messages,
    "openai_responses": _responses,
}


def sdk_reads(dialect: DialectName, body: bytes) -> tuple[str, bool]:
    """The text of a stream, and whether its reply is complete. One that ends with an error is not."""
    _BYTES.body = body
    pieces: list[str] = []
    try:
        complete = _READERS[dialect](pieces)
        assert complete or dialect == "openai_responses", "the stream ends without an error, and is not complete"
    except (openai.APIError, anthropic.APIError):
        complete = False
    return "".join(pieces), complete
