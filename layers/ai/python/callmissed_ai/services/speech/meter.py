"""The meter of speech: audio of the format that was asked for, or no reply at all."""

import json
from base64 import b64encode
from collections.abc import Mapping
from typing import Any, Protocol

from callmissed.catalog.model import Model
from callmissed.errors import ApiError, envelope
from callmissed_ai.audio.formats import HEAD_BYTES, AudioFormat, begins
from callmissed_ai.audio.wav import MAX_HEADER_BYTES, samples_start
from callmissed_ai.charges import Charges, unit_charges
from callmissed_ai.dialects.written_json import written_json
from callmissed_ai.transports.paths import SPEECH

_TOO_LONG = "too long"
_FREE_BYTES = 1024 * 1024
_BYTES_PER_CHARACTER = 24 * 1024
"""A quarter of a second of the largest samples: four times what the slowest speech needs."""

_WHOLE_DELTA = 6
"""Deltas are of whole samples, and of whole groups of base64."""


class _Passage(Protocol):
    """The form in which audio is passed on. The last bytes of it wait for the call's settlement."""

    def passed(self, audio: bytes) -> bytes: ...

    def last(self) -> bytes: ...


class Bytes:
    """Audio as it is, but for its last byte, which may not leave before the call is settled."""

    def __init__(self) -> None:
        self._held = b""

    def passed(self, audio: bytes) -> bytes:
        """What may be passed on when `audio` has come."""
        if not audio:
            return b""
        held, self._held = self._held, audio[-1:]
        return held + audio[:-1]

    def last(self) -> bytes:
        """The last byte."""
        return self._held


class Events:
    """Audio as OpenAI's events, each with a base64 of its own. `usage` is in the last one."""

    def __init__(self, usage: Mapping[str, Any]) -> None:
        self._usage = usage
        self._held = b""

    def passed(self, audio: bytes) -> bytes:
        """The event for what has come, as far as it is whole."""
        held = self._held + audio
        whole = len(held) - len(held) % _WHOLE_DELTA
        self._held = held[whole:]
        return _delta(held[:whole])

    def last(self) -> bytes:
        """The event for what is left, and the one that ends the stream."""
        return _delta(self._held) + _event({"type": "speech.audio.done", "usage": self._usage})


class SpeechMeter:
    """Passes audio of `audio_format` on through `passage`; implements `Meter`.

    A reply begins with the first bytes of that format. All of the text is charged then, whatever comes after.
    """

    def __init__(self, audio_format: AudioFormat, model: Model, characters: int, passage: _Passage) -> None:
        self.begun = False
        self.finished = False
        self.broken = ""
        self._format: AudioFormat = audio_format
        self._charges = unit_charges(model, characters)
        self._bytes_left = _FREE_BYTES + characters * _BYTES_PER_CHARACTER
        self._passage = passage
        self._head = b""

    @property
    def runaway(self) -> bool:
        """See `Meter.runaway`."""
        return self.broken == _TOO_LONG

    def feed(self, chunk: bytes) -> bytes:
        """See `Meter.feed`."""
        self._bytes_left -= len(chunk)
        if self._bytes_left < 0:
            self.broken = _TOO_LONG
            return b""
        if self.begun:
            return self._passage.passed(chunk)
        self._head += chunk
        return self._begin() if self._is_known() else b""

    def end(self) -> bytes:
        """See `Meter.end`."""
        passed = b"" if self.begun else self._begin()
        self.finished = self.begun
        return passed

    def _is_known(self) -> bool:
        """Whether the first bytes are enough to take them for what they are."""
        return len(self._head) >= HEAD_BYTES and not (begins(self._format, self._head) and self._lacks_samples())

    def _lacks_samples(self) -> bool:
        """Whether all that has come is the header of a WAV file. One that does not end is passed on as it is."""
        if self._format != "wav" or len(self._head) > MAX_HEADER_BYTES:
            return False
        start = samples_start(self._head)
        return start is None or start >= len(self._head)

    def _begin(self) -> bytes:
        """Take the first bytes for what they are."""
        self.broken = self._fault()
        self.begun = not self.broken
        head, self._head = self._head, b""
        return self._passage.passed(head) if self.begun else b""

    def _fault(self) -> str:
        """Why the first bytes are no audio that was asked for, "" where they are."""
        if not self._head:
            return "no audio"
        if not begins(self._format, self._head):
            return f"no {self._format}"
        return "no samples" if self._lacks_samples() else ""

    async def charges(self) -> Charges:
        """See `Meter.charges`: the characters are known before."""
        return self._charges

    def final(self, body: bytes) -> bytes:
        """See `Meter.final`."""
        return body + self._passage.last() if self.finished else body

    @property
    def response(self) -> dict[str, Any] | None:
        """See `Meter.response`: audio is no object."""
        return None

    def closing(self, error: ApiError | None, request_id: str) -> bytes:
        """See `Meter.closing`."""
        return self._passage.last() if error is None else closing(error, request_id)


def closing(error: ApiError, request_id: str) -> bytes:
    """The last event of a stream that failed."""
    return b"data: " + json.dumps(envelope(f"/v1{SPEECH}", error, request_id)).encode() + b"\n\n"


def _delta(audio: bytes) -> bytes:
    return _event({"type": "speech.audio.delta", "audio": b64encode(audio).decode()}) if audio else b""


def _event(event: Mapping[str, Any]) -> bytes:
    return b"data: " + written_json(event) + b"\n\n"
