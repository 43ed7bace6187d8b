"""Requests for speech: what is taken, what is refused by the name of its field, and what each kind of provider gets."""

from collections.abc import Mapping
from typing import Any

import pytest

from callmissed.catalog.loader import load_catalog
from callmissed.errors import ApiError
from callmissed_ai.services.speech.service import SpeechWork, parse
from callmissed_ai.streams.sse import MEDIA_TYPE

CATALOG = load_catalog()
HELLO: Mapping[str, Any] = {"model": "gpt-4o-mini-tts", "input": "Hello"}


def work_of(**fields: Any) -> SpeechWork:
    return parse(CATALOG, {**HELLO, **fields}, 0)


def sent(work: SpeechWork, place: int = 0) -> Mapping[str, Any]:
    (model,) = work.models
    return work.request_for(model, model.routes[place]).json


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"input": ""}, "input"),
        ({"input": " \n\t\u200b"}, "input"),
        ({"input": "x" * 10_001}, "input"),
        ({"input": None}, "input"),
        ({"input": ["Hello"]}, "input"),
        ({"voice": ""}, "voice"),
        ({"voice": 1}, "voice"),
        ({"voice": {"id": ""}}, "voice.id"),
        ({"voice": {"id": "alloy", "style": "loud"}}, "voice.style"),
        ({"speed": 0.25}, "speed"),
        ({"speed": 2.1}, "speed"),
        ({"speed": True}, "speed"),
        ({"speech_sample_rate": 44_100}, "speech_sample_rate"),
        ({"speech_sample_rate": "8000"}, "speech_sample_rate"),
        ({"response_format": "ogg"}, "response_format"),
        ({"instructions": "x" * 2_001}, "instructions"),
        ({"stream_format": "json"}, "stream_format"),
        ({"language": "hindi, please"}, "language"),
        ({"temperature": 1}, "temperature"),
        ({"model": "gpt-4o"}, "model"),
        ({"model": "nova-3"}, "model"),
    ],
)
def test_bad_field_is_refused_by_its_name(fields: Mapping[str, Any], param: str) -> None:
    with pytest.raises(ApiError) as refused:
        work_of(**fields)

    assert (refused.value.status, refused.value.param) == (400, param)


@pytest.mark.parametrize("text", ["a", "\u0000a", "\u0915\u094d\u0937", "\U0001f600", "x" * 10_000, "\u200bHi\x07"])
def test_text_is_counted_by_its_code_points_and_sent_as_it_is(text: str) -> None:
    work = work_of(input=text)

    assert work.max_quantity == len(text)
    assert sent(work)["input"] == text


def test_null_is_no_value() -> None:
    names = ("voice", "language", "speed", "speech_sample_rate", "response_format", "instructions", "stream_format")

    assert sent(work_of(**dict.fromkeys(names))) == sent(work_of())


def test_openai_gets_its_own_fields() -> None:
    asked = work_of(voice={"id": "Nova"}, speed=1, instructions="Whisper", response_format="opus", stream_format="sse")

    assert sent(asked) == {
        "model": "gpt-4o-mini-tts",
        "input": "Hello",
        "voice": "nova",
        "response_format": "opus",
        "speed": 1,
        "instructions": "Whisper",
    }


@pytest.mark.parametrize(
    "fields",
    [{"response_format": "mulaw"}, {"speech_sample_rate": 8_000}, {"language": "hi-IN"}],
    ids=["format", "rate", "language"],
)
def test_field_that_openai_lacks_is_refused(fields: Mapping[str, Any]) -> None:
    with pytest.raises(ApiError) as refused:
        sent(work_of(**fields))

    assert refused.value.param == next(iter(fields))


@pytest.mark.parametrize(
    ("model_id", "asked", "spoken"),
    [
        ("bulbul:v3", None, "shubh"),
        ("bulbul:v3", "kavya", "kavya"),
        ("bulbul:v3", "alloy", "shubh"),
        ("aura-2-en", "no such voice", "luna"),
        ("aura-2-es", "Diana", "diana"),
        ("gpt-4o-mini-tts", "shubh", "alloy"),
        ("sandbox-tts", None, "alto"),
    ],
)
def test_unknown_voice_is_the_default_of_the_model(model_id: str, asked: str | None, spoken: str) -> None:
    work = work_of(model=model_id, voice=asked)

    assert work.call_for(work.models[0], work.models[0].routes[0]).json["voice"] == spoken


@pytest.mark.parametrize(
    ("fields", "media_type"),
    [
        ({}, "audio/mpeg"),
        ({"response_format": "wav"}, "audio/wav"),
        ({"response_format": "pcm"}, "audio/pcm;rate=24000"),
        ({"response_format": "mulaw"}, "audio/basic;rate=8000"),
        ({"response_format": "pcm", "speech_sample_rate": 8_000}, "audio/pcm;rate=8000"),
        ({"stream_format": "sse"}, MEDIA_TYPE),
    ],
)
def test_media_type_is_that_of_the_bytes(fields: Mapping[str, Any], media_type: str) -> None:
    assert work_of(**fields).media_type == media_type


def test_only_a_keyed_call_for_bytes_waits_for_the_whole_audio() -> None:
    streamed = {
        (keyed, stream_format): parse(CATALOG, {**HELLO, "stream_format": stream_format}, 0, keyed=keyed).streamed
        for keyed in (False, True)
        for stream_format in ("audio", "sse")
    }

    assert [case for case, is_streamed in streamed.items() if not is_streamed] == [(True, "audio")]
