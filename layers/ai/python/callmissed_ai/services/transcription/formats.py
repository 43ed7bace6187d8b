"""Answers in each format, made from one kind of reply: text, segments, words, language.

A provider is asked for the richest format that it has, whatever the caller wants, so that the length it reports, and
with it the bill, is the same for all formats.
"""

from collections.abc import Mapping, Sequence
from math import inf
from typing import Any, cast

from callmissed_ai.dialects.json_reply import UnusableReply
from callmissed_ai.dialects.written_json import with_whole_characters, written_json
from callmissed_ai.services.transcription.request import Granularity, ResponseFormat
from callmissed_ai.work import JSON

MEDIA_TYPES: Mapping[ResponseFormat, str] = {
    "json": JSON,
    "verbose_json": JSON,
    "diarized_json": JSON,
    "text": "text/plain; charset=utf-8",
    "srt": "application/x-subrip; charset=utf-8",
    "vtt": "text/vtt; charset=utf-8",
}
TIMED: frozenset[ResponseFormat] = frozenset({"srt", "vtt", "verbose_json", "diarized_json"})
"""Formats that need segments."""

_SEGMENT: Mapping[str, Any] = {
    "seek": 0,
    "tokens": [],
    "temperature": 0.0,
    "avg_logprob": 0.0,
    "compression_ratio": 1.0,
    "no_speech_prob": 0.0,
}
"""What OpenAI's segments have beside their times and their text, and clients may insist on."""

_MORE = ("entities", "search", "paragraphs")
"""What Deepgram's own fields ask for."""

_MAX_CAPTION_SECONDS = 7.0
_MAX_SECONDS = 1e9
"""No audio is longer, so what a provider reports above it is as long as this."""

_SENTENCE_ENDS = (".", "?", "!", "।")


def written(
    wanted: ResponseFormat,
    reply: Mapping[str, Any],
    *,
    task: str,
    seconds: float,
    granularities: Sequence[Granularity],
    usage: Mapping[str, Any],
) -> bytes:
    """The answer for a provider's `reply` to audio of so many `seconds`. Raises UnusableReply without what it needs."""
    text = reply.get("text")
    if not isinstance(text, str):
        raise UnusableReply("no text")
    match wanted:
        case "json":
            more = {"logprobs": reply["logprobs"]} if "logprobs" in reply else {}
            return written_json({"text": text, **more, "usage": usage})
        case "text":
            return _plain(f"{text}\n")
        case "srt":
            return _plain(_captions(_segments(reply), ","))
        case "vtt":
            return _plain(f"WEBVTT\n\n{_captions(_segments(reply), '.', numbered=False)}")
        case "diarized_json":
            said = [_diarized(number, each) for number, each in enumerate(_segments(reply))]
            return written_json({"task": task, "duration": seconds, "text": text, "segments": said, "usage": usage})
        case "verbose_json":
            verbose = _verbose(reply, granularities)
            language = "en" if task == "translate" else str(reply.get("language") or "")
            head = {"task": task, "language": language, "duration": seconds, "text": text}
            return written_json({**head, **verbose, "usage": usage})


def seconds_in(value: object) -> float | None:
    """A length in seconds that a provider reports, None for what is none."""
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0:
        return None
    return None if value == inf else float(min(value, _MAX_SECONDS))


def _plain(text: str) -> bytes:
    """`text` in UTF-8: what a provider says may have half of a surrogate pair, which JSON can hold."""
    return with_whole_characters(text).encode()


def _verbose(reply: Mapping[str, Any], granularities: Sequence[Granularity]) -> Mapping[str, Any]:
    found: dict[str, Any] = {name: reply[name] for name in _MORE if name in reply}
    if "segment" in granularities or not granularities:
        found["segments"] = [{"id": number, **_SEGMENT, **each} for number, each in enumerate(_segments(reply))]
    if "word" in granularities:
        words = _timed(reply.get("words"), "word")
        if words is None:
            raise UnusableReply("no words")
        found["words"] = words
    return found


def _segments(reply: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """The segments of a reply, else its words in groups. Raises UnusableReply where there are neither."""
    segments = _timed(reply.get("segments"), "text")
    if segments is not None:
        return segments
    words = _timed(reply.get("words"), "word")
    if words is None:
        raise UnusableReply("no segments")
    return grouped(words)


def grouped(words: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Segments of words: one ends with a sentence, a speaker or after some seconds."""
    groups: list[list[Mapping[str, Any]]] = []
    for word in words:
        last = groups[-1] if groups else None
        if last is None or _ends(last, word):
            groups.append([word])
        else:
            last.append(word)
    return [_segment(group) for group in groups]


def _ends(group: Sequence[Mapping[str, Any]], word: Mapping[str, Any]) -> bool:
    last = group[-1]
    return (
        str(last["word"]).endswith(_SENTENCE_ENDS)
        or word["end"] - group[0]["start"] > _MAX_CAPTION_SECONDS
        or word.get("speaker") != last.get("speaker")
    )


def _segment(group: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    text = " ".join(str(word["word"]).strip() for word in group)
    speaker = {"speaker": group[0]["speaker"]} if "speaker" in group[0] else {}
    return {"start": group[0]["start"], "end": group[-1]["end"], "text": text, **speaker}


def _timed(value: object, named: str) -> list[Mapping[str, Any]] | None:
    """The parts of a list that have times and a `named` text; None where there is no list."""
    if not isinstance(value, list):
        return None
    parts = [cast("Mapping[str, Any]", each) for each in cast("list[object]", value) if isinstance(each, dict)]
    return [each for each in parts if isinstance(each.get(named), str) and _has_times(each)]


def _has_times(part: Mapping[str, Any]) -> bool:
    return seconds_in(part.get("start")) is not None and seconds_in(part.get("end")) is not None


def _diarized(number: int, segment: Mapping[str, Any]) -> Mapping[str, Any]:
    return {
        "type": "transcript.text.segment",
        "id": str(segment.get("id", f"seg_{number}")),
        "start": segment["start"],
        "end": segment["end"],
        "text": segment["text"],
        "speaker": str(segment.get("speaker", "A")),
    }


def _captions(segments: Sequence[Mapping[str, Any]], point: str, *, numbered: bool = True) -> str:
    blocks: list[str] = []
    for number, each in enumerate(segments, 1):
        times = f"{_clock(each['start'], point)} --> {_clock(each['end'], point)}"
        line = " ".join(str(each["text"]).split()).replace("-->", "->")
        blocks.append(f"{number}\n{times}\n{line}\n" if numbered else f"{times}\n{line}\n")
    return "\n".join(blocks)


def _clock(seconds: object, point: str) -> str:
    milliseconds = round((seconds_in(seconds) or 0.0) * 1_000)
    minutes, milliseconds = divmod(milliseconds, 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{milliseconds // 1_000:02}{point}{milliseconds % 1_000:03}"
