"""Sarvam's transcription, which takes thirty seconds a request: longer audio is sent in pieces that end where it is
quiet, a few at a time, and the texts are joined.

https://docs.sarvam.ai/api/speech-to-text/apis/rest-api
"""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from callmissed.errors import invalid_request
from callmissed_ai.audio.fields import DEEPGRAM_FIELDS
from callmissed_ai.audio.reading.cutting import Piece, check_cut, cut
from callmissed_ai.audio.reading.files import AudioFile
from callmissed_ai.audio.reading.track import NotAudio
from callmissed_ai.dialects.output_bounds import MAX_BODY_BYTES
from callmissed_ai.dialects.strict_json import read_strictly
from callmissed_ai.dialects.written_json import written_json
from callmissed_ai.providers.transcripts import refuse, refuse_formats, wants_words
from callmissed_ai.transports.base import Transport, UpstreamCall, UpstreamReply, UpstreamUnreachable
from callmissed_ai.transports.multipart import FilePart, form_call
from callmissed_ai.transports.paths import TRANSLATIONS

_NAME = "sarvam_speech"
_MAX_SECONDS = 29.5
_PARALLEL = 4
_PATH = "/speech-to-text"
_REFUSED = ("stream", "diarize", "prompt", "temperature", "include", "chunking_strategy", *DEEPGRAM_FIELDS)
_ODIA = {"or": "od-IN"}


class SarvamTranscription:
    """Implements `NativeApi`."""

    def check(self, call: UpstreamCall) -> None:
        """See `NativeApi.check`."""
        refuse_formats(call, _NAME, ["diarized_json"])
        refuse(call, _NAME, _REFUSED)
        if wants_words(call):
            refuse(call, _NAME, ["timestamp_granularities"])
        audio: AudioFile = call.json["audio"]
        if _is_long(audio):
            try:
                check_cut(audio)
            except NotAudio as why:
                message = f"This model takes {_MAX_SECONDS:g} seconds of such a file, which can't be cut: {why}."
                raise invalid_request(message, "file", "invalid_audio") from None

    def transport(self, http: Transport) -> Transport:
        """See `NativeApi.transport`."""
        return _PieceTransport(http)


class _PieceTransport:
    """Sends the pieces of a call; implements `Transport`. The first refusal of a piece is that of the whole."""

    def __init__(self, http: Transport) -> None:
        self._http = http

    async def send(self, call: UpstreamCall, deadline_seconds: float) -> UpstreamReply:
        """See `Transport.send`."""
        pieces = await asyncio.to_thread(_pieces, call)
        free = asyncio.Semaphore(_PARALLEL)
        tasks = [asyncio.ensure_future(self._piece(call, piece, deadline_seconds, free)) for piece in pieces]
        passed_on: UpstreamReply | None = None
        try:
            replies = [await task for task in tasks]
        except _Refused as refused:
            passed_on = refused.reply
            return passed_on
        finally:
            await _end(tasks, passed_on)
        return _JoinedReply(written_json(_joined(pieces, replies)))

    async def close(self) -> None:
        """See `Transport.close`."""
        await self._http.close()

    async def _piece(
        self, call: UpstreamCall, piece: Piece, deadline_seconds: float, free: asyncio.Semaphore
    ) -> Mapping[str, Any]:
        """What Sarvam hears in a piece. Raises UpstreamUnreachable, and _Refused for another status than 200."""
        async with free:
            reply = await self._http.send(form_call(_PATH, _fields(call, piece)), deadline_seconds)
            if reply.status != 200:
                raise _Refused(reply)
            try:
                return await _read(reply)
            finally:
                await reply.close()


async def _end(tasks: Sequence["asyncio.Future[Mapping[str, Any]]"], passed_on: UpstreamReply | None) -> None:
    """Cancel what still runs, and close every refusal but the one that is passed on."""
    for task in tasks:
        task.cancel()
    for end in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(end, _Refused) and end.reply is not passed_on:
            await end.reply.close()


class _Refused(Exception):
    """A piece was refused."""

    def __init__(self, reply: UpstreamReply) -> None:
        super().__init__("refused")
        self.reply = reply


@dataclass(frozen=True, slots=True)
class _JoinedReply:
    """The reply to all pieces; implements `UpstreamReply`."""

    body: bytes
    status: int = 200

    @property
    def headers(self) -> Mapping[str, str]:
        return {"content-type": "application/json"}

    async def chunks(self) -> AsyncIterator[bytes]:
        yield self.body

    async def close(self) -> None:
        """Nothing is open."""


def _is_long(audio: AudioFile) -> bool:
    return audio.milliseconds > _MAX_SECONDS * 1_000


def _pieces(call: UpstreamCall) -> Sequence[Piece]:
    audio: AudioFile = call.json["audio"]
    if _is_long(audio):
        return cut(audio, _MAX_SECONDS)
    file: FilePart = call.json["file"]
    return [Piece(0.0, audio.milliseconds / 1_000, file.content, file.media_type)]


def _fields(call: UpstreamCall, piece: Piece) -> Iterator[tuple[str, str | FilePart]]:
    yield "model", call.json["model"]
    yield "mode", "translate" if call.path == TRANSLATIONS else call.json["mode"]
    yield "language_code", _language(call.json.get("language"))
    yield "file", FilePart(f"audio.{piece.media_type.partition('/')[2]}", piece.body, piece.media_type)


def _language(language: str | None) -> str:
    """Sarvam's code: with the region where the caller gives none."""
    if not language:
        return "unknown"
    return language if "-" in language else _ODIA.get(language.lower(), f"{language.lower()}-IN")


async def _read(reply: UpstreamReply) -> Mapping[str, Any]:
    body = bytearray()
    async for chunk in reply.chunks():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise UpstreamUnreachable("a reply that is too long")
    try:
        value = read_strictly(bytes(body))
    except ValueError as error:
        raise UpstreamUnreachable("a reply that is not JSON") from error
    if not isinstance(value, dict) or not isinstance(value.get("transcript"), str):  # pyright: ignore[reportUnknownMemberType]
        raise UpstreamUnreachable("no transcript")
    return cast("Mapping[str, Any]", value)


def _joined(pieces: Sequence[Piece], replies: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    heard = [(piece, reply["transcript"].strip()) for piece, reply in zip(pieces, replies, strict=True)]
    return {
        "text": " ".join(text for _, text in heard if text),
        "language": next((reply["language_code"] for reply in replies if reply.get("language_code")), None),
        "segments": [_segment(piece, text) for piece, text in heard if text],
    }


def _segment(piece: Piece, text: str) -> Mapping[str, Any]:
    return {"start": round(piece.start, 3), "end": round(piece.start + piece.seconds, 3), "text": text}
