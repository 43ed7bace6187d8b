"""Transcription of native providers over recorded bytes: what they are sent, and what their replies become.

Requests and replies as in https://developers.deepgram.com/reference/speech-to-text/listen-pre-recorded,
https://developers.cloudflare.com/workers-ai/models/whisper-large-v3-turbo/ and …/models/nova-3/.
"""

import base64
from collections.abc import Mapping
from typing import Any

import pytest

from callmissed.errors import ApiError
from callmissed_ai.audio.reading.files import read_audio
from callmissed_ai.dialects.json_reply import UnusableReply
from callmissed_ai.providers.cloudflare_run.transcription import CloudflareTranscription
from callmissed_ai.providers.deepgram.transcription import DeepgramTranscription
from callmissed_ai.providers.sarvam_speech.transcription import SarvamTranscription
from callmissed_ai.transports.base import UpstreamCall
from callmissed_ai.transports.multipart import FilePart
from callmissed_ai.transports.paths import TRANSCRIPTIONS, TRANSLATIONS
from tests.support.audio_files import wav
from tests.support.inference.image_provider_cases import ScriptedHttp

AUDIO = wav(1.5)
WHISPER, NOVA = "@cf/openai/whisper-large-v3-turbo", "@cf/deepgram/nova-3"
LISTENED: Mapping[str, Any] = {
    "metadata": {"request_id": "r", "duration": 1.5, "channels": 1},
    "results": {
        "channels": [
            {
                "detected_language": "en",
                "alternatives": [
                    {
                        "transcript": "Hello there.",
                        "confidence": 0.99,
                        "words": [
                            {"word": "hello", "start": 0.1, "end": 0.5, "confidence": 0.9, "speaker": 0},
                            {
                                "word": "there",
                                "punctuated_word": "there.",
                                "start": 0.5,
                                "end": 1.2,
                                "confidence": 0.9,
                                "speaker": 0,
                            },
                        ],
                    }
                ],
            }
        ],
        "utterances": [
            {"start": 0.1, "end": 1.2, "confidence": 0.9, "channel": 0, "transcript": "Hello there.", "speaker": 0}
        ],
    },
}
TRANSCRIPT = {
    "text": "Hello there.",
    "language": "en",
    "words": [
        {"word": "hello", "start": 0.1, "end": 0.5, "speaker": "0"},
        {"word": "there.", "start": 0.5, "end": 1.2, "speaker": "0"},
    ],
    "segments": [{"start": 0.1, "end": 1.2, "text": "Hello there.", "speaker": "0"}],
}


def call(model: str, path: str = TRANSCRIPTIONS, **fields: Any) -> UpstreamCall:
    body = {
        "model": model,
        "mode": "transcribe",
        "diarize": False,
        "response_format": "json",
        "stream": False,
        "file": FilePart("audio.wav", AUDIO, "audio/wav"),
        "audio": read_audio(AUDIO),
        **fields,
    }
    return UpstreamCall(path, body)


def test_deepgram_gets_the_file_and_a_query() -> None:
    asked = call("nova-3", language="hi", diarize=True, keyterm=["Call Missed", "a&b"], numerals=True)

    sent = DeepgramTranscription().request(asked)

    assert sent.path == (
        "/listen?model=nova-3&punctuate=true&utterances=true&language=hi&diarize=true&numerals=true"
        "&keyterm=Call+Missed&keyterm=a%26b"
    )
    assert (sent.payload(), sent.headers) == (AUDIO, {"Content-Type": "audio/wav"})


def test_deepgram_finds_the_language_that_is_not_given() -> None:
    assert DeepgramTranscription().request(call("nova-3")).path.endswith("&detect_language=true")
    assert "detect_language" not in DeepgramTranscription().request(call("nova-3", detect_language=False)).path


def test_reply_of_deepgram_has_text_words_and_segments() -> None:
    assert DeepgramTranscription().reply(call("nova-3"), LISTENED) == {**TRANSCRIPT, "duration": 1.5}


@pytest.mark.parametrize("start", [None, "soon", [], {}, "nan", 10**400, 1e300])
def test_word_of_deepgram_without_a_time_stands_where_it_came(start: object) -> None:
    words = [{"word": "a", "start": 0}, {"word": "b", "start": start}]
    heard = {"results": {"channels": [{"alternatives": [{"transcript": "a b", "words": words}]}]}}

    found = DeepgramTranscription().reply(call("nova-3"), heard)

    assert sorted(word["word"] for word in found["words"]) == ["a", "b"]


@pytest.mark.parametrize("reply", [{}, {"results": None}, {"results": {"channels": [{"alternatives": []}]}}])
def test_reply_without_a_transcript_is_unusable(reply: Mapping[str, Any]) -> None:
    with pytest.raises(UnusableReply):
        DeepgramTranscription().reply(call("nova-3"), reply)


def test_cloudflares_whisper_gets_json() -> None:
    api = CloudflareTranscription()

    sent = api.request(call(WHISPER, language="en-IN", prompt="names"))
    translated = api.request(call(WHISPER, TRANSLATIONS, language="hi"))

    assert sent.path == f"/{WHISPER}"
    assert sent.json == {
        "audio": base64.b64encode(AUDIO).decode(),
        "task": "transcribe",
        "language": "en",
        "initial_prompt": "names",
    }
    assert translated.json["task"] == "translate"
    assert "language" not in translated.json


def test_reply_of_cloudflares_whisper_is_unwrapped() -> None:
    segment = {"start": 0.0, "end": 1.2, "text": " Hello there.", "avg_logprob": -0.2}
    words = [{"word": " Hello", "start": 0.0, "end": 0.5}]
    result = {
        "transcription_info": {"language": "en", "duration": 1.5},
        "text": "Hello there.",
        "segments": [{**segment, "words": words}],
    }

    reply = CloudflareTranscription().reply(call(WHISPER), {"result": result, "success": True, "errors": []})

    assert reply == {"text": "Hello there.", "language": "en", "duration": 1.5, "segments": [segment], "words": words}


def test_cloudflares_nova_is_deepgrams() -> None:
    api = CloudflareTranscription()

    sent = api.request(call(NOVA, diarize=True))
    reply = api.reply(call(NOVA), {"result": {"results": LISTENED["results"]}, "success": True})

    assert sent.path == f"/{NOVA}?punctuate=true&utterances=true&detect_language=true&diarize=true"
    assert reply == {**TRANSCRIPT, "duration": None}


@pytest.mark.parametrize(
    ("api", "asked", "param"),
    [
        (DeepgramTranscription(), call("nova-3", mode="codemix"), "mode"),
        (DeepgramTranscription(), call("nova-3", temperature=0.5), "temperature"),
        (DeepgramTranscription(), call("nova-3", stream=True), "stream"),
        (CloudflareTranscription(), call(NOVA, TRANSLATIONS), "model"),
        (CloudflareTranscription(), call(WHISPER, diarize=True), "diarize"),
        (CloudflareTranscription(), call(WHISPER, response_format="diarized_json"), "response_format"),
        (CloudflareTranscription(), call(WHISPER, mode="translit"), "mode"),
    ],
)
def test_what_a_provider_lacks_is_refused_by_name(api: Any, asked: UpstreamCall, param: str) -> None:
    with pytest.raises(ApiError) as refused:
        api.check(asked)

    assert (refused.value.status, refused.value.param) == (400, param)


async def test_refusals_of_sarvams_other_pieces_are_closed() -> None:
    audio = wav(70)
    asked = call("saaras:v3", file=FilePart("audio.wav", audio, "audio/wav"), audio=read_audio(audio))
    http = ScriptedHttp([{"status": 429, "body": "{}"}] * 3)

    reply = await SarvamTranscription().transport(http).send(asked, 5)

    assert reply.status == 429
    assert [sent.closed for sent in http.sent] == [sent is not reply for sent in http.sent]
