"""A provider that speaks: a text in one request or in several, whose audio is joined into one file.

The next piece of a text is asked for when the audio before it has been passed on. A provider that refuses or breaks off
in the midst breaks the whole reply off, as the first bytes may be with the caller.
"""

import re
from base64 import b64decode
from binascii import Error as NoBase64
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, cast

from callmissed_ai.audio.formats import HEAD_BYTES, RAW_FORMATS, AudioFormat, begins, is_text_type
from callmissed_ai.audio.wav import MAX_HEADER_BYTES, header, samples_start
from callmissed_ai.dialects.output_bounds import MAX_BODY_BYTES
from callmissed_ai.dialects.strict_json import read_strictly
from callmissed_ai.providers.speaking.request import AskedSpeech
from callmissed_ai.providers.speaking.sentences import pieces_of
from callmissed_ai.transports.base import Transport, UpstreamCall, UpstreamReply, UpstreamUnreachable

JOINED = frozenset({"mp3", "aac", "wav", "pcm", "mulaw", "alaw"})
"""Formats whose files are frames or samples, so that two of them are one."""

_SAMPLES = RAW_FORMATS | {"wav"}
"""Formats of which a piece may have a WAV header or none."""

_ID3_BYTES = 10
_JSON = re.compile(r"application/json\b", re.IGNORECASE)


class SpeakingApi(Protocol):
    """One provider's API of speech."""

    def limit(self, asked: AskedSpeech) -> int:
        """The most code points of one request."""
        ...

    def request(self, asked: AskedSpeech, text: str) -> UpstreamCall:
        """The provider's request for a piece of the text."""
        ...

    def encoded(self, reply: Mapping[str, Any]) -> object:
        """The audio in a JSON reply, in base64."""
        ...


class SpeakingTransport:
    """Sends a text to a provider that speaks; implements `Transport`."""

    def __init__(self, api: SpeakingApi, http: Transport) -> None:
        self._api = api
        self._http = http

    async def send(self, call: UpstreamCall, deadline_seconds: float) -> UpstreamReply:
        """See `Transport.send`."""
        asked = AskedSpeech.of(call)
        pieces = pieces_of(asked.text, self._api.limit(asked))
        first = await self._http.send(self._api.request(asked, pieces[0]), deadline_seconds)
        if first.status != 200:
            return first
        later = [self._api.request(asked, piece) for piece in pieces[1:]]
        return _Speech(self._api, self._http, asked, first, later, deadline_seconds)

    async def close(self) -> None:
        """See `Transport.close`."""
        await self._http.close()


@dataclass(slots=True)
class _Speech:
    """The audio of all pieces as one file; implements `UpstreamReply`. `current` is the reply that is being read."""

    api: SpeakingApi
    http: Transport
    asked: AskedSpeech
    current: UpstreamReply
    later: Sequence[UpstreamCall]
    deadline_seconds: float
    status: int = 200

    @property
    def headers(self) -> Mapping[str, str]:
        return self.current.headers

    async def chunks(self) -> AsyncIterator[bytes]:
        async for chunk in self._file(is_first=True):
            yield chunk
        for call in self.later:
            await self.current.close()
            self.current = await self.http.send(call, self.deadline_seconds)
            if self.current.status != 200:
                raise UpstreamUnreachable(f"a later piece of the text: status {self.current.status}")
            is_spoken = False
            async for chunk in self._file(is_first=False):
                is_spoken = is_spoken or bool(chunk)
                yield chunk
            if not is_spoken:
                raise UpstreamUnreachable("a later piece of the text: no audio")

    async def close(self) -> None:
        await self.current.close()

    async def _file(self, *, is_first: bool) -> AsyncIterator[bytes]:
        """The file of one piece, without a header that must not be there."""
        strip = _strip_for(self.asked, is_first=is_first, is_only=is_first and not self.later)
        head = bytearray()
        async for chunk in self._audio() if is_first else self._known_audio():
            if strip is None:
                yield chunk
                continue
            head += chunk
            if (stripped := strip(bytes(head))) is not None:
                strip = None
                yield stripped
            elif len(head) > MAX_HEADER_BYTES:
                raise UpstreamUnreachable("a header that does not end")
        if strip is not None and head:
            yield bytes(head)

    async def _known_audio(self) -> AsyncIterator[bytes]:
        """The audio of a later piece, whose first bytes nobody else looks at. Raises UpstreamUnreachable for others."""
        head, is_known = b"", False
        async for chunk in self._audio():
            if is_known:
                yield chunk
                continue
            head += chunk
            if len(head) >= HEAD_BYTES:
                is_known = True
                yield self._known(head)
        if not is_known:
            yield self._known(head)

    def _known(self, head: bytes) -> bytes:
        kinds: Sequence[AudioFormat] = ("wav", "pcm") if self.asked.format in _SAMPLES else (self.asked.format,)
        if head and not any(begins(each, head) for each in kinds):
            raise UpstreamUnreachable(f"a later piece of the text: no {self.asked.format}")
        return head

    async def _audio(self) -> AsyncIterator[bytes]:
        """The bytes of the current reply's audio, whether they are sent as they are or in JSON."""
        content_type = self.current.headers.get("content-type", "")
        if not _JSON.match(content_type):
            if self.asked.format in RAW_FORMATS and is_text_type(content_type):
                raise UpstreamUnreachable("a text in the place of samples")
            async for chunk in self.current.chunks():
                yield chunk
            return
        body = bytearray()
        async for chunk in self.current.chunks():
            body += chunk
            if len(body) > MAX_BODY_BYTES:
                raise UpstreamUnreachable("a reply that is too long")
        yield self._decoded(bytes(body))

    def _decoded(self, body: bytes) -> bytes:
        try:
            reply = read_strictly(body)
            encoded = self.api.encoded(cast("dict[str, Any]", reply)) if isinstance(reply, dict) else None
            if not isinstance(encoded, str):
                raise UpstreamUnreachable("a reply without audio")
            return b64decode(encoded, validate=True)
        except (ValueError, NoBase64) as error:
            raise UpstreamUnreachable("a reply that is no audio in JSON") from error


_Strip = Callable[[bytes], bytes | None]
"""What is left of the beginning of a file without its header; None while the header is not whole."""


def _strip_for(asked: AskedSpeech, *, is_first: bool, is_only: bool) -> _Strip | None:
    """What to do about the header of a file: none in raw samples, one in a WAV, one tag in MP3."""
    if asked.format in RAW_FORMATS:
        return _without_wav_header
    if asked.format == "wav" and not is_only:
        return (lambda head: _rewritten(head, asked)) if is_first else _without_wav_header
    return _without_id3 if asked.format == "mp3" and not is_first else None


def _without_wav_header(head: bytes) -> bytes | None:
    if len(head) < 4:
        return None
    if not head.startswith(b"RIFF"):
        return head
    start = samples_start(head)
    return None if start is None else head[start:]


def _rewritten(head: bytes, asked: AskedSpeech) -> bytes | None:
    """The first of several WAV files, with a header that does not say where it ends."""
    samples = _without_wav_header(head)
    return None if samples is None else header(_rate_of(head) or asked.samples_per_second) + samples


def _rate_of(head: bytes) -> int:
    return int.from_bytes(head[24:28], "little") if head.startswith(b"RIFF") else 0


def _without_id3(head: bytes) -> bytes | None:
    """MP3 without the tag before its frames, whose length is in four bytes of seven bits."""
    if len(head) < _ID3_BYTES:
        return None
    if not head.startswith(b"ID3"):
        return head
    size = sum((byte & 0x7F) << shift for byte, shift in zip(head[6:10], (21, 14, 7, 0), strict=True))
    return head[_ID3_BYTES + size :] if len(head) >= _ID3_BYTES + size else None
