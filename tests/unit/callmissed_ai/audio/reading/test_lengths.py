"""Lengths of audio: those of the frames that are there, whatever headers claim."""

import random
import struct
from contextlib import suppress

import pytest

from callmissed_ai.audio.reading.files import read_audio
from callmissed_ai.audio.reading.track import NotAudio
from tests.support.audio_files import RECORDED, days, recorded, silence, wav

_PADDING = 110
"""Milliseconds that an encoder adds at most, in the recorded files."""

_FORMATS = {
    "aac.m4a": "m4a",
    "cbr.mp3": "mp3",
    "flac.ogg": "ogg",
    "fragmented.m4a": "m4a",
    "opus.mp4": "m4a",
    "opus.ogg": "ogg",
    "opus.webm": "webm",
    "plain.aac": "aac",
    "plain.flac": "flac",
    "vbr.mp3": "mp3",
    "vorbis.ogg": "ogg",
}


@pytest.mark.parametrize("name", RECORDED)
def test_recorded_file_is_as_long_as_it_sounds(name: str) -> None:
    audio = read_audio(recorded(name))

    assert audio.format == _FORMATS[name]
    assert 1_500 <= audio.milliseconds <= 1_500 + _PADDING


@pytest.mark.parametrize("claimed", [0, 0xFFFFFFFF, 0x7FFFFFFF, 24_000 * 100, 10, 23_998])
def test_wav_header_is_not_believed(claimed: int) -> None:
    assert read_audio(wav(1.5, claimed=claimed)).milliseconds == 1_500


@pytest.mark.parametrize("tail", [b"LIST\x04\0\0\0abcd", b"id3 \x03\0\0\0abc\0"])
def test_chunks_after_the_samples_are_no_sound(tail: bytes) -> None:
    assert read_audio(wav(1.5, tail=tail)).milliseconds == 1_500


def test_second_data_chunk_hides_no_sound() -> None:
    more = wav(1.5)[44:]
    hidden = wav(1.5, tail=b"data" + struct.pack("<I", len(more)) + more)

    assert read_audio(hidden).milliseconds >= 3_000


def test_channels_do_not_add_up() -> None:
    audio = read_audio(wav(1.5, channels=5))

    assert (audio.milliseconds, audio.channels) == (1_500, 5)


def test_part_of_a_millisecond_is_rounded_up() -> None:
    assert read_audio(wav(1.5, rate=44_100)[:-2]).milliseconds == 1_500
    assert read_audio(wav(0.0001, rate=44_100)).milliseconds == 1


@pytest.mark.parametrize("name", RECORDED)
def test_half_of_a_file_is_shorter_and_never_longer(name: str) -> None:
    data = recorded(name)
    whole = read_audio(data).milliseconds

    for part in (len(data) // 2, len(data) * 3 // 4, len(data) - 1):
        try:
            assert read_audio(data[:part]).milliseconds <= whole
        except NotAudio:
            assert name.endswith((".m4a", ".mp4")) or part < 4_000  # what a decoder needs is not there


@pytest.mark.parametrize("name", ["cbr.mp3", "plain.aac", "plain.flac", "opus.ogg"])
def test_file_that_follows_itself_is_twice_as_long(name: str) -> None:
    data = recorded(name)
    once, twice = read_audio(data).milliseconds, read_audio(data + data).milliseconds

    assert 2 * once - 100 <= twice <= 2 * once + 100


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"RIFF",
        b"<html><body>no audio</body></html>",
        b"\x89PNG\r\n\x1a\n" + bytes(500),
        bytes(1_000),
        b"\xff" * 5_000,
        b"ID3\x04\0\0\0\0\0\0",
        b"OggS" + bytes(200),
        b"fLaC" + bytes(200),
        b"\x1a\x45\xdf\xa3" + bytes(200),
        b"\0\0\0\x18ftypM4A " + bytes(200),
        wav(0),
        wav(1.5, rate=1),
        wav(1.5, channels=1)[:30],
    ],
)
def test_what_is_no_audio_is_refused(data: bytes) -> None:
    with pytest.raises(NotAudio):
        read_audio(data)


def test_ten_hours_of_silence_are_counted() -> None:
    audio = read_audio(silence(10))

    assert 10 * 3_600_000 <= audio.milliseconds <= 10 * 3_600_000 + 60_000


def test_more_than_half_a_day_is_refused() -> None:
    with pytest.raises(NotAudio, match="12 hours"):
        read_audio(days())


@pytest.mark.parametrize("name", RECORDED)
def test_damaged_file_is_read_or_refused(name: str) -> None:
    data, chance = bytearray(recorded(name)), random.Random(name)

    for _ in range(60):
        damaged = bytearray(data)
        for _ in range(chance.randrange(1, 12)):
            damaged[chance.randrange(min(len(data), 700))] = chance.randrange(256)
        with suppress(NotAudio):
            assert read_audio(bytes(damaged)).milliseconds > 0
