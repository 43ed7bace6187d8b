"""The sandbox's ear: an engine where one is installed, else a canned text as long as the audio is."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from callmissed_ai.audio.reading.files import AudioFile
from callmissed_ai.dialects.written_json import written_json
from callmissed_ai.providers.sandbox.media.listening import heard

CANNED = "canned"
_SENTENCES = (
    "This is the sandbox.",
    "It has not listened to the audio.",
    "It knows how long the audio is.",
    "So the times are true.",
)
_SECONDS = 3.0
_WORD_SECONDS = 0.25


def transcript(body: Mapping[str, Any]) -> tuple[Mapping[str, Any], str]:
    """What is heard in a call's audio, and by which engine. It may take seconds."""
    audio: AudioFile = body["audio"]
    found = heard(audio)
    segments = list(_canned(audio.milliseconds / 1_000)) if found is None else found[0]
    words = [word for segment in segments for word in _words(segment)] if found is None else found[1]
    speaker = {"speaker": "A"} if body.get("diarize") else {}
    return {
        "text": " ".join(segment["text"] for segment in segments),
        "language": str(body.get("language") or "en"),
        "duration": audio.milliseconds / 1_000,
        "segments": [{**segment, **speaker} for segment in segments],
        "words": [{**word, **speaker} for word in words],
    }, CANNED if found is None else "pocketsphinx"


def events(reply: Mapping[str, Any]) -> Iterator[bytes]:
    """The events of a streamed reply, a word each."""
    words = str(reply["text"]).split(" ")
    for number, word in enumerate(words):
        delta = word if number == len(words) - 1 else f"{word} "
        yield _event({"type": "transcript.text.delta", "delta": delta})
    yield _event({"type": "transcript.text.done", "text": reply["text"]})


def _event(event: Mapping[str, Any]) -> bytes:
    return b"data: " + written_json(event) + b"\n\n"


def _canned(seconds: float) -> Iterator[Mapping[str, Any]]:
    count = max(1, int(seconds // _SECONDS))
    for number in range(count):
        end = seconds if number == count - 1 else (number + 1) * _SECONDS
        yield {"start": number * _SECONDS, "end": round(end, 3), "text": _SENTENCES[number % len(_SENTENCES)]}


def _words(segment: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    words = segment["text"].split()
    step = min(_WORD_SECONDS, (segment["end"] - segment["start"]) / len(words))
    return [
        {
            "word": word,
            "start": round(segment["start"] + number * step, 3),
            "end": round(segment["start"] + (number + 1) * step, 3),
        }
        for number, word in enumerate(words)
    ]
