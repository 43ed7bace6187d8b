"""The sandbox as a provider: from a call to a reply, without an account, a network or any state."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from pydantic import ValidationError

from callmissed_ai.dialects.openai_chat import request as chat
from callmissed_ai.dialects.openai_chat.typed_request import TypedChatRequest
from callmissed_ai.dialects.openai_embeddings import request as embeddings
from callmissed_ai.dialects.written_json import written_json
from callmissed_ai.providers.sandbox.caching import cache_use
from callmissed_ai.providers.sandbox.conversation import summarize
from callmissed_ai.providers.sandbox.embeddings.reply import embeddings_body
from callmissed_ai.providers.sandbox.embeddings.small_model import SmallModel
from callmissed_ai.providers.sandbox.failures import ENGINE_HEADER, Failure, Instructions, break_off, read_instructions
from callmissed_ai.providers.sandbox.rejection import Rejected, rejection_of
from callmissed_ai.providers.sandbox.reply import ComposedReply, check_response_format, compose, digests
from callmissed_ai.providers.sandbox.rules import parse_request
from callmissed_ai.providers.sandbox.thinking import check_signatures
from callmissed_ai.providers.sandbox.tools import check_tools
from callmissed_ai.providers.sandbox.wire.completion import completion_body
from callmissed_ai.providers.sandbox.wire.stream import events
from callmissed_ai.transports.base import UpstreamCall, UpstreamTimedOut
from callmissed_ai.transports.paths import IMAGES, SPEECH, TRANSCRIPTIONS, TRANSLATIONS

CHUNK_SECONDS = 0.015
_JSON = {"content-type": "application/json"}
_EVENTS = {"content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache"}
_GARBAGE = b"<html><body><h1>502 Bad Gateway</h1><p>garbage, as the prompt asked</p></body></html>"

Sleep = Callable[[float], Awaitable[None]]


@dataclass(slots=True)
class SandboxReply:
    """An answer of the sandbox; implements `UpstreamReply`. `delay_seconds` passes before each chunk."""

    status: int
    headers: Mapping[str, str]
    parts: Iterable[bytes]
    sleep: Sleep
    delay_seconds: float = 0.0
    closed: bool = False

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body, piece by piece. Raises UpstreamUnreachable if the prompt asks for a cut."""
        for part in self.parts:
            if self.delay_seconds:
                await self.sleep(self.delay_seconds)
            if self.closed:
                return
            yield part

    async def close(self) -> None:
        """End the body; no more pieces follow."""
        self.closed = True


class SandboxProvider:
    """Answers calls of every service by fixed rules; implements `Transport`.

    `clock` gives seconds since 1970 and sets `created`; `sleep` paces the chunks of a stream. `embeds` makes the
    vectors of texts; without it they are hashed.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.time,
        sleep: Sleep = asyncio.sleep,
        embeds: SmallModel | None = None,
    ) -> None:
        self._clock = clock
        self._sleep = sleep
        self._embeds = embeds

    async def send(self, call: UpstreamCall, deadline_seconds: float) -> SandboxReply:
        """Answer `call`. Raises UpstreamTimedOut after the deadline when the prompt asks for a timeout."""
        answers = {
            chat.PATH: self._chat,
            embeddings.PATH: self._embeddings,
            "/search": self._search,
            TRANSCRIPTIONS: self._transcription,
            TRANSLATIONS: self._transcription,
            IMAGES: self._images,
            SPEECH: self._speech,
        }
        answer = answers.get(call.path)
        if answer is None:
            failure = Failure(404, f"Unknown request URL: POST {call.path}.", "invalid_request_error", "unknown_url")
            return self._failed(failure)
        try:
            return await answer(call.json, deadline_seconds)
        except Rejected as error:
            return self._refused(error)
        except RecursionError:
            return self._refused(Rejected("The request is nested too deeply."))

    async def close(self) -> None:
        """Does nothing: the sandbox has no connections."""

    async def _chat(self, body: Mapping[str, Any], deadline_seconds: float) -> SandboxReply:
        digest, wording = digests(body)
        request = parse_request(body)
        check_tools(request)
        check_signatures(body)
        check_response_format(request)
        conversation = summarize(request, body)
        instructions = read_instructions(conversation.last_user_text)
        if failed := await self._failure(instructions, deadline_seconds, streamed=bool(request.stream)):
            return failed
        choices = compose(request, conversation, instructions, wording)
        cache = cache_use(body, conversation.tokens, again="cached" in instructions)
        reply = ComposedReply(digest, int(self._clock()), request.model, choices, conversation.tokens, cache)
        return (
            self._streamed(reply, request, instructions)
            if request.stream
            else self._whole(reply, request, instructions)
        )

    async def _embeddings(self, body: Mapping[str, Any], deadline_seconds: float) -> SandboxReply:
        request = _embeddings_request(body)
        instructions = read_instructions(next((text for text in reversed(request.inputs) if isinstance(text, str)), ""))
        if failed := await self._failure(instructions, deadline_seconds, streamed=False):
            return failed
        make = partial(embeddings_body, request, self._embeds, with_usage="no_usage" not in instructions)
        return self._json(await asyncio.to_thread(make) if self._embeds else make(), instructions)

    async def _search(self, body: Mapping[str, Any], deadline_seconds: float) -> SandboxReply:
        from callmissed_ai.providers.sandbox.media.search import search_body  # most processes never search

        instructions = read_instructions(str(body["query"]))
        if failed := await self._failure(instructions, deadline_seconds, streamed=False):
            return failed
        return self._json(search_body(body), instructions)

    async def _transcription(self, body: Mapping[str, Any], deadline_seconds: float) -> SandboxReply:
        from callmissed_ai.providers.sandbox.media import transcription  # most processes never listen

        instructions = read_instructions(f"{body.get('prompt') or ''} {body['file_name']}")
        if failed := await self._failure(instructions, deadline_seconds, streamed=body["stream"]):
            return failed
        reply, engine = await asyncio.to_thread(transcription.transcript, body)
        headers = {ENGINE_HEADER: engine}
        if not body["stream"]:
            return self._json(written_json(reply), instructions, headers)
        parts = transcription.events(reply)
        delay = CHUNK_SECONDS if instructions.delay_seconds is None else instructions.delay_seconds
        parts = break_off(parts) if "cut" in instructions else parts
        return SandboxReply(200, {**_EVENTS, **headers}, parts, self._sleep, delay)

    async def _images(self, body: Mapping[str, Any], deadline_seconds: float) -> SandboxReply:
        from callmissed_ai.providers.sandbox.media.images import images_body  # most processes never draw

        instructions = read_instructions(str(body["prompt"]))
        if failed := await self._failure(instructions, deadline_seconds, streamed=False):
            return failed
        filtered = "filtered" in instructions
        drawn, engine = await asyncio.to_thread(images_body, {**body, "n": 0} if filtered else body)
        return self._json(drawn, instructions, {ENGINE_HEADER: engine})

    async def _speech(self, body: Mapping[str, Any], deadline_seconds: float) -> SandboxReply:
        from callmissed_ai.providers.sandbox.media.speech import speech  # most processes never speak

        instructions = read_instructions(str(body["input"]))
        if failed := await self._failure(instructions, deadline_seconds, streamed=False):
            return failed
        spoken = await speech(body)
        parts = break_off(spoken.pieces) if "cut" in instructions else spoken.pieces
        headers = {"content-type": spoken.media_type, ENGINE_HEADER: spoken.engine}
        return SandboxReply(200, headers, parts, self._sleep, instructions.delay_seconds or 0.0)

    async def _failure(
        self, instructions: Instructions, deadline_seconds: float, *, streamed: bool
    ) -> SandboxReply | None:
        """The failure that the prompt asks for, if any. Raises UpstreamTimedOut for a timeout."""
        if "timeout" in instructions:
            await self._sleep(deadline_seconds)
            raise UpstreamTimedOut("no answer in time, as the prompt asked")
        if instructions.failure:
            return self._failed(instructions.failure)
        return self._garbage(streamed=streamed) if "garbage" in instructions else None

    def _streamed(self, reply: ComposedReply, request: TypedChatRequest, instructions: Instructions) -> SandboxReply:
        parts = events(reply, request, with_usage=request.wants_usage and "no_usage" not in instructions)
        delay = CHUNK_SECONDS if instructions.delay_seconds is None else instructions.delay_seconds
        headers = {**_EVENTS, "x-request-id": f"req_{reply.digest[:32]}"}
        return SandboxReply(200, headers, break_off(parts) if "cut" in instructions else parts, self._sleep, delay)

    def _whole(self, reply: ComposedReply, request: TypedChatRequest, instructions: Instructions) -> SandboxReply:
        body = completion_body(reply, request, with_usage="no_usage" not in instructions)
        return self._json(body, instructions, {"x-request-id": f"req_{reply.digest[:32]}"})

    def _json(self, body: bytes, instructions: Instructions, more: Mapping[str, str] | None = None) -> SandboxReply:
        headers = {**_JSON, "content-length": str(len(body)), **(more or {})}
        middle = len(body) // 2
        parts = break_off([body[:middle], body[middle:]]) if "cut" in instructions else [body]
        return SandboxReply(200, headers, parts, self._sleep, instructions.delay_seconds or 0.0)

    def _garbage(self, *, streamed: bool) -> SandboxReply:
        if streamed:
            return SandboxReply(200, _EVENTS, [b"data: " + _GARBAGE + b"\n\n"], self._sleep)
        return SandboxReply(200, _JSON, [_GARBAGE], self._sleep)

    def _refused(self, error: Rejected) -> SandboxReply:
        return self._error(400, _error_object(error.message, "invalid_request_error", error.param, error.code), {})

    def _failed(self, failure: Failure) -> SandboxReply:
        error = _error_object(failure.message, failure.type, None, failure.code)
        return self._error(failure.status, error, failure.headers)

    def _error(self, status: int, error: Mapping[str, Any], headers: Mapping[str, str]) -> SandboxReply:
        body = json.dumps({"error": error}).encode()
        return SandboxReply(status, {**_JSON, **headers, "content-length": str(len(body))}, [body], self._sleep)


def _embeddings_request(body: Mapping[str, Any]) -> embeddings.EmbeddingsRequest:
    try:
        return embeddings.EmbeddingsRequest.model_validate(body)
    except ValidationError as error:
        raise rejection_of(error) from None


def _error_object(message: str, kind: str, param: str | None, code: str | None) -> dict[str, Any]:
    return {"message": message, "type": kind, "param": param, "code": code}
