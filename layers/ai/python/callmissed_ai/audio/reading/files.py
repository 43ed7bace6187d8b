"""What an audio file is and how long it sounds, by its bytes alone: neither its name nor its header is believed."""

from collections.abc import Iterable
from dataclasses import dataclass

from callmissed_ai.audio.reading import flac, mp4, mpeg, ogg, wav, webm
from callmissed_ai.audio.reading.track import Links, NotAudio, Track

MAX_SECONDS = 12 * 3_600
"""A longer file is refused: no provider takes one, and a few bytes can claim days."""

_MEDIA_TYPES = {
    "wav": "audio/wav",
    "mp3": "audio/mpeg",
    "aac": "audio/aac",
    "flac": "audio/flac",
    "ogg": "audio/ogg",
    "m4a": "audio/mp4",
    "webm": "audio/webm",
}


@dataclass(frozen=True, slots=True)
class AudioFile:
    """A file of at least one sample. `milliseconds` is how long its longest track sounds, rounded up."""

    format: str
    milliseconds: int
    channels: int
    links: Links

    @property
    def media_type(self) -> str:
        """The media type of the bytes."""
        return _MEDIA_TYPES[self.format]


def read_audio(data: bytes) -> AudioFile:
    """The audio in `data`. It may take a second: run it in a thread. Raises NotAudio."""
    name, links = _links(data)
    milliseconds = sum(max(map(_milliseconds, tracks), default=0) for tracks in links)
    if not milliseconds:
        raise NotAudio("no sound in it")
    if milliseconds > MAX_SECONDS * 1_000:
        raise NotAudio(f"longer than {MAX_SECONDS // 3_600} hours")
    return AudioFile(name, milliseconds, max(track.channels for tracks in links for track in tracks), links)


def _links(data: bytes) -> tuple[str, Links]:
    if data[:4] in (b"RIFF", b"RF64") and data[8:12] == b"WAVE":
        return "wav", wav.tracks(data)
    if data.startswith(flac.MARK):
        return "flac", flac.tracks(data)
    if data.startswith(ogg.MARK):
        return "ogg", ogg.tracks(data)
    if data.startswith(webm.MARK):
        return "webm", webm.tracks(data)
    if data[4:8] == b"ftyp":
        return "m4a", mp4.tracks(data)
    if data.startswith(b"ID3") or mpeg.is_stream(data):
        links = mpeg.tracks(data)
        return ("aac" if links[0][0].codec == "aac" else "mp3"), links
    raise NotAudio("no WAV, MP3, OGG, FLAC, M4A, AAC or WebM")


def _milliseconds(track: Track) -> int:
    samples, most = 0, MAX_SECONDS * track.rate
    for _, count in track.frames():
        samples += count
        if samples > most:
            break
    return -(-samples * 1_000 // track.rate)


def first_track(links: Links) -> Track:
    """The only track of a file. Raises NotAudio where there are several."""
    tracks: Iterable[Track] = (track for link in links for track in link)
    first, *others = tracks
    if others:
        raise NotAudio("several tracks")
    return first
