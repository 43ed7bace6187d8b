"""Pieces of audio: short enough, files of their own, and together as long as the whole."""

import pytest

from callmissed_ai.audio.reading.cutting import cut
from callmissed_ai.audio.reading.files import read_audio
from callmissed_ai.audio.reading.track import NotAudio
from tests.support.audio_files import recorded, wav


def test_wav_is_cut_where_it_is_quiet() -> None:
    pieces = cut(read_audio(wav(70, quiet=(25.0, 50.0))), 29.5)

    assert len(pieces) == 3
    assert [round(piece.start, 1) for piece in pieces] == [
        0.0,
        pytest.approx(25.25, abs=0.3),
        pytest.approx(50.25, abs=0.3),
    ]
    lengths = [read_audio(piece.body).milliseconds for piece in pieces]
    assert max(lengths) <= 29_500
    assert sum(lengths) == 70_000


@pytest.mark.parametrize(
    "name",
    ["cbr.mp3", "vbr.mp3", "plain.aac", "aac.m4a", "fragmented.m4a", "plain.flac", "opus.ogg", "opus.webm", "opus.mp4"],
)
def test_pieces_are_files_that_add_up(name: str) -> None:
    whole = read_audio(recorded(name))

    pieces = cut(whole, 0.7)

    lengths = [read_audio(piece.body).milliseconds for piece in pieces]
    assert len(pieces) >= 3
    assert max(lengths) <= 701
    assert whole.milliseconds <= sum(lengths) <= whole.milliseconds + len(pieces)
    assert pieces[-1].start + pieces[-1].seconds == pytest.approx(whole.milliseconds / 1_000, abs=0.002)


@pytest.mark.parametrize("name", ["vorbis.ogg", "flac.ogg"])
def test_what_can_be_cut_is_said(name: str) -> None:
    whole = read_audio(recorded(name))

    if whole.links[0][0].codec == "vorbis":
        with pytest.raises(NotAudio, match="vorbis"):
            cut(whole, 0.7)
    else:
        assert len(cut(whole, 0.7)) >= 3
