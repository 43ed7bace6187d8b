"""A reply with status 200 and nothing in it is no reply, for the meter of every service."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

import pytest

from callmissed.catalog.loader import load_catalog
from callmissed.clock import system_clock
from callmissed_ai.routing.attempt import FailedTry, RouteAttempt
from callmissed_ai.services import chat, embeddings, images
from callmissed_ai.services.search import work as search
from callmissed_ai.services.speech import service as speech
from callmissed_ai.services.transcription import work as transcription
from callmissed_ai.transports.base import UpstreamCall, UpstreamReply
from callmissed_ai.transports.multipart import FilePart
from callmissed_ai.work import Work
from tests.support.audio_files import wav

CATALOG = load_catalog()
MESSAGES = [{"role": "user", "content": "Hello"}]
FILE = FilePart("a.wav", wav(0.5))
WORKS: Mapping[str, Work] = {
    "chat": chat.parse("openai_chat", CATALOG, {"model": "sandbox", "messages": MESSAGES}, 100),
    "chat stream": chat.parse("openai_chat", CATALOG, {"model": "sandbox", "messages": MESSAGES, "stream": True}, 100),
    "embeddings": embeddings.parse(CATALOG, {"model": "sandbox-embedding", "input": "Hello"}, 0),
    "images": images.parse(CATALOG, {"model": "sandbox-image", "prompt": "A lighthouse"}, 0),
    "search": search.parse(CATALOG, {"query": "news", "provider": "sandbox-search"}, 0),
    "speech": speech.parse(CATALOG, {"model": "sandbox-tts", "input": "Hello", "response_format": "pcm"}, 0),
    "transcription": transcription.parse(CATALOG, {"model": "sandbox-stt", "file": FILE}, 0),
    "transcription stream": transcription.parse(CATALOG, {"model": "sandbox-stt", "file": FILE, "stream": True}, 0),
}


@dataclass(slots=True)
class EmptyReply:
    """Status 200 with `pieces` of nothing; implements `UpstreamReply`."""

    pieces: int
    status: int = 200
    is_closed: bool = False

    @property
    def headers(self) -> Mapping[str, str]:
        return {}

    async def chunks(self) -> AsyncIterator[bytes]:
        for _ in range(self.pieces):
            yield b""

    async def close(self) -> None:
        self.is_closed = True


@dataclass(frozen=True, slots=True)
class EmptyTransport:
    """Answers with the reply; implements `Transport`."""

    reply: EmptyReply

    async def send(self, call: UpstreamCall, deadline_seconds: float) -> UpstreamReply:
        return self.reply

    async def close(self) -> None:
        """Nothing is open."""


@pytest.mark.parametrize("pieces", [0, 1])
@pytest.mark.parametrize("name", WORKS)
async def test_reply_of_nothing_is_a_failed_try(name: str, pieces: int) -> None:
    reply = EmptyReply(pieces)

    assert await tried(WORKS[name], reply) == FailedTry("no_reply")
    assert reply.is_closed


async def test_meter_that_finishes_without_a_beginning_ends_the_try(monkeypatch: pytest.MonkeyPatch) -> None:
    work = WORKS["images"]
    (model,) = work.models
    meter = cast(Any, work.meter(model, model.routes[0]))
    meter.finished = True
    monkeypatch.setattr(images.ImagesWork, "meter", lambda *_, **__: meter)

    assert await tried(work, EmptyReply(0)) == FailedTry("no_reply")


async def tried(work: Work, reply: EmptyReply) -> object:
    (model,) = work.models
    attempt = RouteAttempt(work, model, model.routes[0], EmptyTransport(reply), system_clock, sandboxed=False)
    return await attempt.send()
