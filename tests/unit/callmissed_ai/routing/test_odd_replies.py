"""Successes of providers that are none, of each service at each provider: the call fails, and costs nothing.

The integration tests of this name play one of each service at the wire.
"""

import gzip
from collections.abc import Mapping

import pytest

from callmissed.errors import ApiError
from callmissed_ai.dialects.json_reply import UnusableReply
from callmissed_ai.routing.attempt import FailedTry, UpstreamAnswer
from callmissed_ai.services.images import ImagesMeter
from tests.support.inference.audio import BEGINNINGS
from tests.support.inference.recorded_transport import RecordedReply
from tests.support.inference.service_calls import PAIRS, attempt_at

JSON, MP3 = b'{"success":true,"result":{},"data":"none","warning":"nothing was made"}', BEGINNINGS["mp3"]
ODD: Mapping[str, tuple[bytes, str]] = {
    "page": (b"<!DOCTYPE html><html><body>Sign in, please</body></html>", "text/html"),
    "page that says it is JSON": (b"<html>", "application/json"),
    "page that says it is audio": (b"<html><body>" + b" " * 100, "audio/mpeg"),
    "nothing": (b"", "application/json"),
    "nothing of audio": (b"", "audio/mpeg"),
    "JSON of something else": (JSON, "application/json"),
    "JSON that says it is audio": (JSON, "audio/mpeg"),
    "list": (b"[]", "application/json"),
    "text": (b"OK", "text/plain"),
    "packed bytes that say nothing of it": (gzip.compress(JSON, mtime=0), "application/json"),
}


async def outcome(answer: UpstreamAnswer | FailedTry) -> str:
    """What becomes of an answer: it `failed` before it began, is `unusable` or `came`."""
    if isinstance(answer, FailedTry):
        assert answer.is_outage
        return "failed"
    try:
        passed = b"".join([part async for part in answer.passed()])
        if isinstance(answer.meter, ImagesMeter):
            await answer.meter.images()
    except (ApiError, UnusableReply) as error:
        assert not isinstance(error, ApiError) or error.status == 502
        return "unusable"
    finally:
        await answer.reply.close()
    return (
        "came"
        if answer.meter.finished and not answer.meter.broken and (passed or answer.meter.final(b""))
        else "unusable"
    )


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize(("provider", "service"), PAIRS, ids=["-".join(pair) for pair in PAIRS])
async def test_success_without_a_result_never_finishes(provider: str, service: str, odd: str) -> None:
    body, media_type = ODD[odd]
    attempt = attempt_at(provider, service, lambda _call: RecordedReply(body, headers={"content-type": media_type}))

    try:
        found = await outcome(await attempt.send())
    except ApiError as refused:
        found = str(refused.status)

    assert found in ("failed", "unusable")


@pytest.mark.parametrize("audio_format", ["wav", "pcm", "mulaw"])
@pytest.mark.parametrize("provider", ["openai", "deepgram", "sarvam_speech"])
@pytest.mark.parametrize(
    "body",
    [MP3, JSON, b"<html></html>", gzip.compress(JSON, mtime=0), BEGINNINGS["flac"], b"\x00", b""],
    ids=["mp3", "JSON", "page", "packed", "flac", "one byte", "nothing"],
)
async def test_audio_of_another_format_is_none(provider: str, audio_format: str, body: bytes) -> None:
    if (provider, audio_format) == ("openai", "mulaw") or (body in (MP3, b"\x00") and audio_format != "wav"):
        return  # it has no such format; or these bytes are samples as well
    attempt = attempt_at(
        provider,
        "tts",
        lambda _call: RecordedReply(body, headers={"content-type": "audio/wav"}),
        response_format=audio_format,
    )

    assert await outcome(await attempt.send()) == "failed"


@pytest.mark.parametrize("media_type", ["text/html; charset=utf-8", "application/problem+json", "TEXT/PLAIN"])
@pytest.mark.parametrize("provider", ["openai", "deepgram", "elevenlabs"])
async def test_text_that_says_so_is_no_samples_whatever_its_first_bytes_are(provider: str, media_type: str) -> None:
    attempt = attempt_at(
        provider,
        "tts",
        lambda _call: RecordedReply(b"Too many requests, try again later." * 9, headers={"content-type": media_type}),
        response_format="pcm",
    )

    assert await outcome(await attempt.send()) == "failed"


@pytest.mark.parametrize("media_type", ["audio/pcm", "application/octet-stream", ""])
@pytest.mark.parametrize("provider", ["openai", "deepgram", "elevenlabs"])
async def test_samples_of_any_other_type_are_audio(provider: str, media_type: str) -> None:
    attempt = attempt_at(
        provider,
        "tts",
        lambda _call: RecordedReply(bytes(range(200)), headers={"content-type": media_type}),
        response_format="pcm",
    )

    assert await outcome(await attempt.send()) == "came"


@pytest.mark.parametrize("provider", ["openai", "deepgram"])
async def test_wav_without_a_sample_is_no_audio(provider: str) -> None:
    empty = BEGINNINGS["wav"][:44]
    attempt = attempt_at(
        provider,
        "tts",
        lambda _call: RecordedReply(empty, headers={"content-type": "audio/wav"}),
        response_format="wav",
    )

    assert await outcome(await attempt.send()) == "failed"
