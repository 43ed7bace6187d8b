"""Embedding models on Amazon Bedrock: InvokeModel, whose body is each maker's own.

https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-embed-v3.html (Cohere) and
https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-titan-embed-text.html. Titan embeds one text a
request and Cohere 96, so a call may be several requests. Each reports its tokens in a header, and the call reports
their sum: it costs what all of them read, or nothing where one of them fails.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast
from urllib.parse import quote

from callmissed.errors import invalid_request
from callmissed_ai.dialects.openai_embeddings.request import QUERIES
from callmissed_ai.dialects.output_bounds import MAX_BODY_BYTES
from callmissed_ai.dialects.strict_json import read_strictly
from callmissed_ai.dialects.written_json import written_json
from callmissed_ai.transports.base import Transport, UpstreamCall, UpstreamReply, UpstreamTimedOut, UpstreamUnreachable

_MAX_AT_ONCE = 8
_MAX_COHERE_TEXTS = 96
_MAX_COHERE_CHARACTERS = 2_048
_TOKENS = "x-amzn-bedrock-input-token-count"
_JSON: Mapping[str, str] = {"content-type": "application/json"}


class _BedrockEmbeddings:
    """Implements `NativeApi`."""

    def check(self, call: UpstreamCall) -> None:
        """See `NativeApi.check`."""
        asked, texts = call.json, _texts(call)
        if not all(isinstance(text, str) for text in texts):
            raise invalid_request("Models on Bedrock embed texts, no lists of tokens.", "input")
        if not _is_cohere(call) and "input_type" in asked:
            raise invalid_request("'input_type' can't be used with this model.", "input_type")
        if _is_cohere(call) and any(len(text) > _MAX_COHERE_CHARACTERS for text in texts):
            raise invalid_request(f"A text for this model has {_MAX_COHERE_CHARACTERS:,} characters at most.", "input")

    def transport(self, http: Transport) -> Transport:
        """See `NativeApi.transport`."""
        return _Transport(http)


@dataclass(frozen=True, slots=True)
class _Transport:
    """Sends the requests of a call side by side, a few at a time; implements `Transport`."""

    http: Transport

    async def send(self, call: UpstreamCall, deadline_seconds: float) -> UpstreamReply:
        """See `Transport.send`. The first refusal is the call's."""
        try:
            async with asyncio.timeout(deadline_seconds):
                answers = await self._answers(_requests(call), deadline_seconds)
        except TimeoutError as error:
            raise UpstreamTimedOut("not all texts were embedded in time") from error
        refused = next((answer for answer in answers if answer.status != 200), None)
        return refused or _Answer(200, _JSON, written_json(_reply(call, answers)))

    async def close(self) -> None:
        """See `Transport.close`."""
        await self.http.close()

    async def _answers(self, requests: Sequence[UpstreamCall], deadline_seconds: float) -> "Sequence[_Answer]":
        """The answers to all `requests`, or those up to a refusal, after which no more are sent."""
        answers: list[_Answer] = []
        for begin in range(0, len(requests), _MAX_AT_ONCE):
            sent = requests[begin : begin + _MAX_AT_ONCE]
            answers += await _together([_read(self.http, each, deadline_seconds) for each in sent])
            if any(answer.status != 200 for answer in answers):
                break
        return answers


@dataclass(frozen=True, slots=True)
class _Answer:
    """An answer that is whole; implements `UpstreamReply`."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)

    async def chunks(self) -> AsyncIterator[bytes]:
        yield self.body

    async def close(self) -> None:
        """Does nothing: all of it is here."""

    @property
    def tokens(self) -> int | None:
        """Tokens that Bedrock counted."""
        text = self.headers.get(_TOKENS, "")
        return int(text) if text.isascii() and text.isdigit() and len(text) < 12 else None


async def _together(reads: Sequence[Any]) -> "list[_Answer]":
    """What all of them read; the others end where one can't. Raises UpstreamUnreachable."""
    tasks = [asyncio.ensure_future(read) for read in reads]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()


async def _read(http: Transport, request: UpstreamCall, deadline_seconds: float) -> _Answer:
    reply = await http.send(request, deadline_seconds)
    body = bytearray()
    try:
        async for chunk in reply.chunks():
            body += chunk
            if len(body) > MAX_BODY_BYTES:
                raise UpstreamUnreachable("a reply that is too long")
    finally:
        await reply.close()
    return _Answer(reply.status, reply.headers, bytes(body))


def _texts(call: UpstreamCall) -> Sequence[Any]:
    asked = call.json["input"]
    return [asked] if isinstance(asked, str) else asked


def _is_cohere(call: UpstreamCall) -> bool:
    return "cohere." in call.json["model"]


def _requests(call: UpstreamCall) -> Sequence[UpstreamCall]:
    """The requests of a call, in the order of its texts."""
    asked, texts = call.json, _texts(call)
    path = f"/model/{quote(asked['model'], safe='')}/invoke"
    if _is_cohere(call):
        kind = "search_query" if asked.get("input_type") in QUERIES else "search_document"
        parts = (texts[begin : begin + _MAX_COHERE_TEXTS] for begin in range(0, len(texts), _MAX_COHERE_TEXTS))
        return [UpstreamCall(path, {"texts": part, "input_type": kind}) for part in parts]
    size = {"dimensions": asked["dimensions"]} if asked.get("dimensions") else {}
    return [UpstreamCall(path, {"inputText": text, **size}) for text in texts]


def _reply(call: UpstreamCall, answers: Sequence[_Answer]) -> Mapping[str, Any]:
    """The answers as one reply in OpenAI's format. Tokens are left out unless all are known."""
    bodies = [_object(answer.body) for answer in answers]
    vectors = [vector for body in bodies for vector in _vectors(body)]
    counts = [
        body.get("inputTextTokenCount") if answer.tokens is None else answer.tokens
        for body, answer in zip(bodies, answers, strict=True)
    ]
    reply: dict[str, Any] = {
        "object": "list",
        "data": [{"object": "embedding", "index": place, "embedding": each} for place, each in enumerate(vectors)],
        "model": call.json["model"],
    }
    if all(type(count) is int for count in counts):
        total = sum(cast("list[int]", counts))
        reply["usage"] = {"prompt_tokens": total, "total_tokens": total}
    return reply


def _vectors(body: Mapping[str, Any]) -> list[Any]:
    """Vectors of Cohere, or the one of Titan. What is none of them is refused by the service."""
    vectors: Any = body.get("embeddings")
    return cast("list[Any]", vectors) if isinstance(vectors, list) else [body.get("embedding")]


def _object(body: bytes) -> Mapping[str, Any]:
    try:
        value = read_strictly(body)
    except ValueError as error:
        raise UpstreamUnreachable("a reply that is not JSON") from error
    return cast("Mapping[str, Any]", value) if isinstance(value, dict) else {}


API = _BedrockEmbeddings()
