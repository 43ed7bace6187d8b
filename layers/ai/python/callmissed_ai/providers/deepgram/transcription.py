"""Deepgram's pre-recorded audio: the file as the body, all settings in the query.

https://developers.deepgram.com/reference/speech-to-text/listen-pre-recorded
"""

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlencode

from callmissed_ai.audio.fields import DEEPGRAM_SWITCHES, DEEPGRAM_VALUES
from callmissed_ai.dialects.json_reply import UnusableReply
from callmissed_ai.providers.json_api import JsonTransport
from callmissed_ai.providers.transcripts import member, objects, refuse
from callmissed_ai.transports.base import Transport, UpstreamCall


class DeepgramTranscription:
    """Implements `NativeApi` and `JsonApi`."""

    name = "deepgram"

    def check(self, call: UpstreamCall) -> None:
        """See `NativeApi.check`."""
        if call.json["mode"] != "transcribe":
            refuse(call, self.name, ["mode"])
        refuse(call, self.name, ["stream", "prompt", "temperature", "include", "chunking_strategy"])

    def transport(self, http: Transport) -> Transport:
        """See `NativeApi.transport`."""
        return JsonTransport(self, http)

    def request(self, call: UpstreamCall) -> UpstreamCall:
        """See `JsonApi.request`."""
        query = urlencode([("model", call.json["model"]), *settings(call.json)])
        file = call.json["file"]
        return UpstreamCall(f"/listen?{query}", file.content, headers={"Content-Type": file.media_type})

    def reply(self, call: UpstreamCall, reply: Mapping[str, Any]) -> Mapping[str, Any]:
        """See `JsonApi.reply`."""
        return transcript(reply)


def settings(asked: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The query for the fields of a call. Utterances are always asked for: they are the segments."""
    yield "punctuate", "true"
    yield "utterances", "true"
    language, detects = asked.get("language"), asked.get("detect_language")
    if language and not detects:
        yield "language", str(language)
    elif detects is not False:
        yield "detect_language", "true"
    for name in ("diarize", *DEEPGRAM_SWITCHES):
        if asked.get(name):
            yield name, "true"
    for name in DEEPGRAM_VALUES:
        value = asked.get(name)
        for each in value if isinstance(value, list) else [] if value is None else [value]:  # pyright: ignore[reportUnknownVariableType]
            yield name, str(each)  # pyright: ignore[reportUnknownArgumentType]


def transcript(reply: Mapping[str, Any]) -> Mapping[str, Any]:
    """A reply of Deepgram's in the service's format; several channels follow each other."""
    results = member(reply, "results")
    channels = objects(results.get("channels"))
    heard = [found[0] for channel in channels if (found := objects(channel.get("alternatives")))]
    if not heard:
        raise UnusableReply("no transcript")
    words = [_word(word) for each in heard for word in objects(each.get("words"))]
    language = next((channel["detected_language"] for channel in channels if channel.get("detected_language")), None)
    segments = [_segment(each) for each in objects(results.get("utterances"))]
    return {
        "text": "\n".join(str(each.get("transcript") or "") for each in heard).strip(),
        "language": language,
        "duration": member(reply, "metadata").get("duration"),
        "words": sorted(words, key=_start),
        **({"segments": segments} if segments else {}),
        **_more(channels, heard),
    }


def _word(word: Mapping[str, Any]) -> Mapping[str, Any]:
    return {
        "word": word.get("punctuated_word") or word.get("word"),
        "start": word.get("start"),
        "end": word.get("end"),
        **_speaker(word),
    }


def _start(word: Mapping[str, Any]) -> float:
    """When the word begins; at once where that is no number."""
    start = word["start"]
    return start if isinstance(start, int | float) else 0.0


def _segment(utterance: Mapping[str, Any]) -> Mapping[str, Any]:
    times = {"start": utterance.get("start"), "end": utterance.get("end")}
    return {**times, "text": utterance.get("transcript"), **_speaker(utterance)}


def _speaker(said: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"speaker": str(said["speaker"])} if said.get("speaker") is not None else {}


def _more(channels: Any, heard: Any) -> Mapping[str, Any]:
    """What Deepgram's own fields ask for, of all channels."""
    found = {
        "entities": [entity for each in heard for entity in objects(each.get("entities"))],
        "search": [hit for channel in channels for hit in objects(channel.get("search"))],
        "paragraphs": [part for each in heard for part in objects(member(each, "paragraphs").get("paragraphs"))],
    }
    return {name: value for name, value in found.items() if value}
