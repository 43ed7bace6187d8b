"""What the providers that speak are asked and answer, in files beside this module, and a wire that plays them."""

import base64
import json
import re
import tomllib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from callmissed.catalog.model import NativeName
from callmissed_ai.audio.wav import header
from callmissed_ai.transports.base import UpstreamCall, UpstreamReply, UpstreamUnreachable
from callmissed_ai.transports.paths import SPEECH

FOLDER = Path(__file__).parent / "speech_providers"
_WORDS = re.compile(r"\{(\d+) [a-z]+\}")
_MARK = re.compile(rb"(mp3|id3|wav|endless)(\d*):")
_ID3 = b"ID3\x04\x00\x00\x00\x00\x00\x05title"


@dataclass(frozen=True, slots=True)
class SpeechCase:
    """One call of a provider: what it is asked, and what the caller gets of it."""

    provider: NativeName
    name: str
    call: UpstreamCall
    requests: list[tuple[str, Mapping[str, Any]]]
    replies: list[Mapping[str, Any]]
    status: int
    audio: bytes
    broken: bool


@dataclass(frozen=True, slots=True)
class RefusedCase:
    """A call that a provider can't have, because of its field `param`."""

    provider: NativeName
    call: UpstreamCall
    param: str


def speech_cases() -> list[SpeechCase]:
    """The cases of all providers."""
    return [_case(name, row) for name, rows in _files() for row in rows["cases"]]


def refused_cases() -> list[RefusedCase]:
    """The refusals of all providers."""
    return [RefusedCase(name, _call(row["asked"]), row["param"]) for name, rows in _files() for row in rows["refused"]]


def _files() -> list[tuple[NativeName, dict[str, Any]]]:
    return [
        (cast("NativeName", file.stem), tomllib.loads(file.read_text(encoding="utf-8")))
        for file in sorted(FOLDER.glob("*.toml"))
    ]


def _case(provider: NativeName, row: Mapping[str, Any]) -> SpeechCase:
    requests = [_request(each) for each in row["requests"]]
    audio = _audio(row.get("audio", ""))
    status, broken = row.get("status", 200), row.get("broken", False)
    return SpeechCase(provider, row["name"], _call(row["asked"]), requests, row["replies"], status, audio, broken)


def _request(row: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    return row["path"], {name: _text(value) for name, value in row["body"].items()}


def _call(asked: Mapping[str, Any]) -> UpstreamCall:
    body = {"model": "aura-2-en", "input": "Hello", **{name: _text(value) for name, value in asked.items()}}
    return UpstreamCall(SPEECH, body)


def _text(value: Any) -> Any:
    """A text with `{1500 words}` written out as so many letters."""
    return _WORDS.sub(lambda found: "x" * int(found[1]), value) if isinstance(value, str) else value


def _audio(text: str) -> bytes:
    return _MARK.sub(_mark, text.encode())


def _mark(found: re.Match[bytes]) -> bytes:
    match found[1]:
        case b"mp3":
            return b"\xff\xf3\x44\xc4"
        case b"id3":
            return _ID3
        case b"wav":
            return header(int(found[2]), data_bytes=10)
        case _:
            return header(int(found[2]))


@dataclass(slots=True)
class PlayedReply:
    """A reply of a case; implements `UpstreamReply`."""

    row: Mapping[str, Any]
    closed: bool = False

    @property
    def status(self) -> int:
        return self.row.get("status", 200)

    @property
    def headers(self) -> Mapping[str, str]:
        return {"content-type": self.row["type"]}

    async def chunks(self) -> AsyncIterator[bytes]:
        for piece in self._pieces():
            yield piece
        if self.row.get("breaks"):
            raise UpstreamUnreachable("the body broke off")

    def _pieces(self) -> list[bytes]:
        if "audio" in self.row:
            return [_audio(piece) for piece in self.row["audio"]]
        if "json" in self.row:
            body = json.dumps(self.row["json"], default=str)
            return [json.dumps(_with_base64(json.loads(body))).encode()]
        return [self.row["text"].encode()]

    async def close(self) -> None:
        self.closed = True


def _with_base64(value: Any) -> Any:
    """The JSON of a reply: audio is in base64, and Sarvam has it in a list."""
    if not isinstance(value, dict):
        return value
    written: dict[str, Any] = {}
    for name, inner in value.items():  # pyright: ignore[reportUnknownVariableType]  it is JSON
        encoded = base64.b64encode(_audio(inner)).decode() if name in ("audio", "audios") else _with_base64(inner)
        written[str(name)] = [encoded] if name == "audios" else encoded  # pyright: ignore[reportUnknownArgumentType]
    return written


@dataclass(slots=True)
class PlayedWire:
    """The wire to a provider that answers with the replies of a case; implements `Transport`."""

    replies: list[Mapping[str, Any]]
    requests: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list[tuple[str, Mapping[str, Any]]])
    sent: list[PlayedReply] = field(default_factory=list[PlayedReply])

    async def send(self, call: UpstreamCall, deadline_seconds: float) -> UpstreamReply:
        """Record the call and give the next reply."""
        self.requests.append((call.path, call.json))
        self.sent.append(PlayedReply(self.replies[len(self.sent)]))
        return self.sent[-1]

    async def close(self) -> None:
        """Nothing."""
