"""The sandbox speaks: a tone where the machine has no engine, as long as the words would be."""

import stat
from array import array
from pathlib import Path
from typing import Any

import pytest

from callmissed_ai.audio.formats import AudioFormat, begins, default_rate, media_type
from callmissed_ai.audio.wav import header
from callmissed_ai.providers.sandbox.media.samples import resampled
from callmissed_ai.providers.sandbox.media.speech import FORMATS
from callmissed_ai.providers.sandbox.media.tones import tone_mp3
from callmissed_ai.transports.base import UpstreamUnreachable
from callmissed_ai.transports.paths import SPEECH
from tests.support.inference.sandbox_client import SandboxClient

RATES = (8_000, 16_000, 22_050, 24_000, 48_000)


@pytest.fixture(autouse=True)
def no_engine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine whose programs are those of this folder."""
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


async def spoken(
    sandbox: SandboxClient, text: str = "Hello there", **fields: Any
) -> tuple[dict[str, str], list[bytes]]:
    body = {"model": "sandbox-tts", "input": text, "response_format": "wav", **fields}
    reply = await sandbox.send(body, SPEECH)
    assert reply.status == 200
    return dict(reply.headers), [chunk async for chunk in reply.chunks()]


@pytest.mark.parametrize("audio_format", FORMATS)
async def test_tone_is_as_long_as_the_words(sandbox: SandboxClient, audio_format: AudioFormat) -> None:
    headers, pieces = await spoken(sandbox, "x" * 30, response_format=audio_format)
    rate, audio = default_rate(audio_format), b"".join(pieces)

    assert headers == {"content-type": media_type(audio_format, rate), "x-callmissed-engine": "tone"}
    assert begins(audio_format, audio[:32])
    assert len(pieces) > 3
    width = {"mulaw": 1, "alaw": 1}.get(audio_format, 2)
    if audio_format != "mp3":
        assert len(audio) - len(header(rate)) * (audio_format == "wav") == 2 * rate * width


@pytest.mark.parametrize("rate", RATES)
async def test_tone_has_the_rate_that_was_asked_for(sandbox: SandboxClient, rate: int) -> None:
    _, pieces = await spoken(sandbox, "x" * 15, speech_sample_rate=rate, speed=0.5)
    audio = b"".join(pieces)

    assert audio[:44] == header(rate, data_bytes=2 * 2 * rate)
    assert len(audio) == 44 + 2 * 2 * rate


@pytest.mark.parametrize("rate", RATES)
def test_mp3_is_whole_frames(rate: int) -> None:
    assert len(tone_mp3(1, rate)) % len(tone_mp3(0.001, rate)) == 0


async def test_format_that_needs_an_encoder_is_refused(sandbox: SandboxClient) -> None:
    body = {"model": "sandbox-tts", "input": "Hello", "response_format": "flac"}

    assert (await sandbox.send(body, SPEECH)).status == 400


async def test_same_text_gets_the_same_bytes(sandbox: SandboxClient) -> None:
    assert await spoken(sandbox) == await spoken(sandbox)


async def test_words_for_failures_work_in_the_text(sandbox: SandboxClient) -> None:
    body = {"model": "sandbox-tts", "response_format": "pcm"}

    assert (await sandbox.send({**body, "input": "sandbox:rate_limit"}, SPEECH)).status == 429
    cut = await sandbox.send({**body, "input": "Please break off. sandbox:cut"}, SPEECH)
    with pytest.raises(UpstreamUnreachable):
        assert [chunk async for chunk in cut.chunks()]


@pytest.mark.parametrize(
    ("program", "language", "engine"),
    [
        ("flite", None, "flite"),
        ("espeak-ng", "en-IN", "espeak-ng"),
        ("espeak-ng", "ta-IN", "espeak-ng"),
        ("flite", "hi", "tone"),
    ],
)
async def test_engine_of_the_machine_speaks_its_languages(
    sandbox: SandboxClient, no_engine: Path, program: str, language: str | None, engine: str
) -> None:
    said = header(16_000, data_bytes=3_200) + bytes(3_200)
    (no_engine / "said.wav").write_bytes(said)
    script = f'#!/bin/sh\nfor last; do :; done\n/bin/cp "{no_engine}/said.wav" "$last"\n'
    (no_engine / program).write_text(script)
    (no_engine / program).chmod(stat.S_IRWXU)

    headers, pieces = await spoken(sandbox, language=language, speech_sample_rate=8_000)

    assert headers["x-callmissed-engine"] == engine
    if engine != "tone":
        assert b"".join(pieces) == header(8_000, data_bytes=1_600) + bytes(1_600)


@pytest.mark.parametrize(
    ("text", "language", "engine"),
    [
        ("नमस्ते", None, "espeak-ng hi"),
        ("नमस्ते", "en-IN", "espeak-ng en"),
        ("ନମସ୍କାର", None, "espeak-ng or"),
        ("5", None, "flite"),
    ],
)
async def test_script_says_the_language_and_flite_reads_latin_letters_alone(
    sandbox: SandboxClient, no_engine: Path, text: str, language: str | None, engine: str
) -> None:
    for program in ("flite", "espeak-ng"):
        (no_engine / "said.wav").write_bytes(header(16_000, data_bytes=2) + bytes(2))
        copies = f'for last; do :; done\n/bin/cp "{no_engine}/said.wav" "$last"'
        script = f'#!/bin/sh\n{copies}\necho "$2" > "{no_engine}/voice"\n'
        (no_engine / program).write_text(script)
        (no_engine / program).chmod(stat.S_IRWXU)

    headers, _ = await spoken(sandbox, text, language=language)

    name, _, voice = engine.partition(" ")
    assert headers["x-callmissed-engine"] == name
    assert (no_engine / "voice").read_text().strip() == (voice or "rms")


def test_lower_rate_has_no_tones_of_the_higher_one() -> None:
    shrill = array("h", [9_000, -9_000] * 500)

    assert set(resampled(shrill, 16_000, 8_000)) == {0}
    assert len(resampled(shrill, 22_050, 16_000)) == 1_000 * 16_000 // 22_050
