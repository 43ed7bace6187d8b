"""What the first bytes of audio say, and what they are called."""

import pytest

from callmissed_ai.audio.formats import RAW_FORMATS, AudioFormat, begins, default_rate, media_type
from callmissed_ai.audio.wav import header, samples_start
from tests.support.inference.audio import BEGINNINGS

FORMATS = pytest.mark.parametrize("audio_format", list(BEGINNINGS))
NO_AUDIO = [
    b"<!DOCTYPE html><html><head><title>502 Bad Gateway</title>",
    b'{"error": {"message": "the model is overloaded", "code": 1}}',
    b"  \r\n<html><body>garbage, as the prompt asked</body></html>",
    "<p>Zu viele Anfragen: bitte später</p>".encode(),
    '{"error": "बहुत अधिक अनुरोध, बाद में"}'.encode(),
]


@FORMATS
def test_file_is_known_by_its_first_bytes(audio_format: AudioFormat) -> None:
    assert begins(audio_format, BEGINNINGS[audio_format][:32])


@FORMATS
@pytest.mark.parametrize("page", NO_AUDIO)
def test_text_is_no_audio_of_any_format(audio_format: AudioFormat, page: bytes) -> None:
    assert not begins(audio_format, page[:32])


@pytest.mark.parametrize("asked", sorted(set(BEGINNINGS) - RAW_FORMATS))
@FORMATS
def test_file_of_another_format_is_refused(asked: AudioFormat, audio_format: AudioFormat) -> None:
    assert begins(asked, BEGINNINGS[audio_format][:32]) is (
        asked == audio_format or both_are_silence(asked, audio_format)
    )


def both_are_silence(asked: AudioFormat, audio_format: AudioFormat) -> bool:
    """Bytes of ones are silence in µ-law, and the mark of a frame in MP3."""
    return (asked, audio_format) == ("mp3", "mulaw")


@pytest.mark.parametrize("asked", sorted(RAW_FORMATS))
@pytest.mark.parametrize("audio_format", ["opus", "flac", "wav"])
def test_file_with_a_header_is_no_raw_audio(asked: AudioFormat, audio_format: AudioFormat) -> None:
    assert not begins(asked, BEGINNINGS[audio_format][:32])


def test_quiet_samples_that_begin_as_json_does_are_audio() -> None:
    """So is the negative half of a wave in µ-law, for which the bytes are letters."""
    assert begins("mulaw", b"{" + b"zyxwvutsrqponm" * 3)


@FORMATS
def test_media_type_says_what_the_bytes_are(audio_format: AudioFormat) -> None:
    named = media_type(audio_format, default_rate(audio_format))

    assert named.startswith("audio/")
    assert ("rate=" in named) is (audio_format in RAW_FORMATS)


def test_samples_begin_behind_all_chunks_of_the_header() -> None:
    plain = header(8_000, "mulaw", data_bytes=3) + b"abc"
    listed = plain[:36] + b"LIST" + (6).to_bytes(4, "little") + b"IARTxy" + plain[36:]

    assert plain[samples_start(plain) :] == listed[samples_start(listed) :] == b"abc"
    assert samples_start(plain[:40]) is samples_start(plain[:10]) is None
    assert int.from_bytes(header(8_000)[40:44], "little") == 2**32 - 1
