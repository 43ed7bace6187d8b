"""Hostile upstream streams: tries, bytes and charge are the same however the network cuts the body.

A stream that fails before its reply begins is tried again and costs nothing; one that fails later is charged.
"""

import asyncio
import json
import random
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from callmissed.catalog.loader import load_catalog
from callmissed.errors import ApiError
from callmissed_ai.routing import router as routing
from callmissed_ai.routing.router import Router
from callmissed_ai.services.chat import parse
from callmissed_ai.transports.base import UpstreamCall, UpstreamUnreachable

PROVIDER = '[providers.{0}]\nbase_url = "http://127.0.0.1:1/v1"\n'
MODEL = """
[[models]]
id = "lab-chat"
provider = "{0}"
upstream_id = "{0}"
input = 0
output = 1
context_window = 128000
"""
NAMES = ("first", "second")
CATALOG = load_catalog("\n".join([*map(PROVIDER.format, NAMES), *map(MODEL.format, NAMES)]))
"""One model with two routes, whose input is free and whose output costs a micro-credit a token."""

BREAK = b"(the connection breaks here)"


def event(body: Any) -> bytes:
    return b"data: " + json.dumps(body).encode() + b"\n\n"


def said(text: str, **more: Any) -> bytes:
    return event({"choices": [{"delta": {"content": text}, **more}]})


def usage(output: int, **more: Any) -> bytes:
    return event({"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": output}, **more})


DONE = b"data: [DONE]\n\n"
ERROR = event({"error": {"message": "no"}})
FINISH = said("", finish_reason="stop")
ROLE = event({"choices": [{"delta": {"role": "assistant", "content": ""}}]})
COMMENT = b": OPENROUTER PROCESSING\n\n"
HEALTHY = said("fine") + FINISH + usage(3) + DONE
BOM = b"\xef\xbb\xbf"


def cr(events: bytes) -> bytes:
    return events.replace(b"\n", b"\r")


def crlf(events: bytes) -> bytes:
    return events.replace(b"\n", b"\r\n")


NOT_BEGUN = {
    "nothing": b"",
    "a break": BREAK,
    "an error": ERROR,
    "an error after a comment": COMMENT + ERROR,
    "an error after a role": ROLE + ERROR,
    "an error after usage": usage(7) + ERROR,
    "an error that is the chunk": event({"object": "error", "message": "no"}),
    "an error of that type": event({"type": "error", "message": "no"}),
    "an error by its name": b"event: error\n" + event({"message": "no"}),
    "an error in plain words": b"data: error\n\n",
    "an error without choices": event({"choices": [], "error": {"code": 502}}),
    "an error as finish reason": said("", finish_reason="error"),
    "an error with CR": cr(COMMENT + ERROR),
    "an error with CR LF": crlf(COMMENT + ROLE + ERROR),
    "an error after a byte order mark": BOM + ERROR,
    "an error before the reply": ERROR + HEALTHY,
    "a break after a role": ROLE + BREAK,
    "a break in the first event": said("x")[:-1] + BREAK,
    "an end after comments": COMMENT * 3,
    "an end after a role": ROLE,
    "an end in the first event": said("x")[:-1],
    "an end at once": DONE,
    "usage and no reply": usage(7) + DONE,
    "an HTML page": b"<!doctype html>\n\n<p>It works!</p>\n\n",
    "HTML in an event": b"data: <html>\n\n" + HEALTHY,
    "a blocking reply": json.dumps({"choices": [{"message": {"content": "x"}}], "usage": {}}).encode(),
    "a list": b"data: [1]\n\n",
    "NUL bytes": b"\x00" * 9 + b"\n\n" + b"data: \x00\n\n",
    "bytes that are not UTF-8": said("x").replace(b"x", b"\xff") + HEALTHY,
    "UTF-16": said("x").decode().encode("utf-16"),
    "compressed bytes": b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xab\x56\x4a\xce\n\n\x00",
}
LINES = b'data: {"choices":\ndata: [{"delta":{"content":"x"}}]}\n\n'
FIELDS = b"id: 1\nevent: x\nretry: 9\n"
GAPS = b"\n\r\n\n"

# The body, what passes of it, and its tokens: reported, or counted where nothing is.
COMPLETED: Mapping[str, tuple[bytes, bytes, int]] = {
    "as specified": (HEALTHY, said("fine") + FINISH, 3),
    "no [DONE]": (said("a") + FINISH + usage(7), said("a") + FINISH, 7),
    "no [DONE] and no blank line": ((said("a") + FINISH + usage(7)).rstrip(), said("a") + FINISH, 7),
    "no [DONE] and no usage": (said("a") + FINISH, said("a") + FINISH, 1),
    "no finish reason": (said("a") + DONE, said("a"), 1),
    "only a finish reason": (FINISH + DONE, FINISH, 0),
    "CR": (cr(HEALTHY), cr(said("fine") + FINISH), 3),
    "CR without [DONE]": (cr(said("a") + FINISH + usage(7)), cr(said("a") + FINISH), 7),
    "CR LF": (crlf(HEALTHY), crlf(said("fine") + FINISH), 3),
    "a byte order mark": (BOM + HEALTHY, said("fine") + FINISH, 3),
    "no space after the colon": (
        HEALTHY.replace(b": {", b":{", 1),
        (said("fine") + FINISH).replace(b": {", b":{", 1),
        3,
    ),
    "[DONE] with spaces": (said("a") + FINISH + usage(7) + b"data:   [DONE]  \n\n", said("a") + FINISH, 7),
    "comments first": (COMMENT * 2 + ROLE + HEALTHY, COMMENT * 2 + ROLE + said("fine") + FINISH, 3),
    "id, event and retry": (
        b"id: 1\nevent: x\nretry: 9\n" + HEALTHY,
        b"id: 1\nevent: x\nretry: 9\n" + said("fine") + FINISH,
        3,
    ),
    "data of two lines": (LINES + DONE, LINES, 1),
    "usage first": (usage(5) + said("a") + usage(7) + DONE, said("a"), 7),
    "zeros at last": (said("a") + usage(7) + usage(0) + DONE, said("a"), 7),
    "usage after the end": (said("a") + DONE + usage(7), said("a"), 1),
    "events after the end": (said("a") + usage(7) + DONE + said("b") + ERROR, said("a"), 7),
    "blank lines": (GAPS + said("a") + GAPS + usage(7) + GAPS + DONE, GAPS + said("a") + GAPS * 2, 7),
}
BROKEN: Mapping[str, tuple[bytes, bytes, int]] = {
    "an error": (said("a b") + ERROR, said("a b"), 2),
    "an error after usage": (said("a") + usage(7) + ERROR, said("a"), 7),
    "an error with usage": (said("a") + usage(7, error={"code": 1}), said("a"), 7),
    "an error as finish reason": (said("a") + said("", finish_reason="error") + DONE, said("a"), 1),
    "an end without a finish reason": (said("a"), said("a"), 1),
    "an end within an event": (said("a") + FINISH + usage(7)[:-9], said("a") + FINISH, 1),
    "a break": (said("a") + BREAK, said("a"), 1),
    "a break after the finish": (said("a") + FINISH + BREAK, said("a") + FINISH, 1),
    "garbage": (said("a") + b"data: <html>\n\n" + HEALTHY, said("a"), 1),
    "bytes that are not UTF-8": (said("a") + said("x").replace(b"x", b"\xff") + HEALTHY, said("a"), 1),
    "CR and an error": (cr(said("a") + ERROR), cr(said("a")), 1),
    "usage too early": (usage(5) + said("a") + BREAK, said("a"), 5 + 1),
}


@dataclass
class Body:
    """An answer with status 200 in these pieces; implements `UpstreamReply`."""

    pieces: list[bytes]
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict[str, str])

    async def chunks(self) -> AsyncIterator[bytes]:
        for piece in self.pieces:
            before, broken, _ = piece.partition(BREAK)
            if before:
                yield before
            if broken:
                raise UpstreamUnreachable("the body broke off")

    async def close(self) -> None:
        """Nothing is open."""


@dataclass
class ScriptedTransport:
    """Answers each request with the next body; implements `Transport`."""

    bodies: Iterator[list[bytes]]
    tried: list[Any]

    async def send(self, call: UpstreamCall, deadline_seconds: float) -> Body:
        self.tried.append(call.json["model"])
        return Body(next(self.bodies))

    async def close(self) -> None:
        """Nothing is open."""


@dataclass(frozen=True)
class Outcome:
    """What became of a call: the upstreams that were asked, what passed, whether it ended well, and the charge."""

    tried: tuple[str, ...]
    passed: bytes
    completed: bool
    cost: int


async def no_wait(_seconds: float) -> None:
    return


async def call(monkeypatch: pytest.MonkeyPatch, bodies: list[list[bytes]]) -> Outcome:
    """A streamed call whose upstreams answer with these bodies in turn. Raises ApiError."""
    transport = ScriptedTransport(iter(bodies), [])
    monkeypatch.setattr(routing, "open_transport", lambda *_: transport)
    router = Router(CATALOG, {}, lambda: transport, no_wait)
    body = {"model": "lab-chat", "messages": [{"role": "user", "content": "x"}], "stream": True}
    try:
        answer = await router.answer(parse("openai_chat", CATALOG, body, 100), sandboxed=False)
    except ApiError as refused:
        assert (refused.status, refused.code) == (503, "provider_error")
        return Outcome(tuple(transport.tried), b"", False, 0)
    passed = b""
    try:
        async for events in answer.passed():
            passed += events
        completed = answer.meter.finished
    except UpstreamUnreachable:
        completed = False
    return Outcome(tuple(transport.tried), passed, completed, (await answer.meter.charges()).cost)


def cuts(whole: bytes) -> Iterator[list[bytes]]:
    """`whole` as one piece, in two at every place, byte by byte, and at random. A break is never cut."""
    body, broken, _ = whole.partition(BREAK)
    end = [BREAK] if broken else []
    yield [body, *end]
    yield [*(body[place : place + 1] for place in range(len(body))), *end]
    for place in range(1, len(body)):
        yield [body[:place], body[place:], *end]
    chosen = random.Random(whole)
    for _ in range(20):
        places = sorted(chosen.choices(range(len(body) + 1), k=6))
        yield [*(body[a:b] for a, b in zip([0, *places], [*places, len(body)], strict=True)), *end]


@pytest.mark.parametrize("hostile", NOT_BEGUN)
def test_stream_that_fails_before_its_reply_begins_is_tried_elsewhere(
    monkeypatch: pytest.MonkeyPatch, hostile: str
) -> None:
    async def check() -> None:
        expected = Outcome(("first", "first", "second"), said("fine") + FINISH, True, 3)
        for pieces in cuts(NOT_BEGUN[hostile]):
            assert await call(monkeypatch, [pieces, pieces, [HEALTHY]]) == expected, pieces

    asyncio.run(check())


@pytest.mark.parametrize("hostile", NOT_BEGUN)
def test_stream_that_never_begins_costs_nothing(monkeypatch: pytest.MonkeyPatch, hostile: str) -> None:
    async def check() -> None:
        outcome = await call(monkeypatch, [[NOT_BEGUN[hostile]]] * 4)
        assert outcome == Outcome(("first", "first", "second", "second"), b"", False, 0)

    asyncio.run(check())


@pytest.mark.parametrize(
    ("table", "name"), [*((COMPLETED, name) for name in COMPLETED), *((BROKEN, name) for name in BROKEN)], ids=str
)
def test_stream_that_has_begun_is_passed_on_and_charged(
    monkeypatch: pytest.MonkeyPatch, table: Mapping[str, tuple[bytes, bytes, int]], name: str
) -> None:
    body, passed, cost = table[name]

    async def check() -> None:
        for pieces in cuts(body):
            outcome = await call(monkeypatch, [pieces])
            assert outcome == Outcome(("first",), passed, table is COMPLETED, cost), pieces

    asyncio.run(check())
