"""M4A and MP4 with AAC, ALAC or Opus, also in fragments. Times of samples are claims and are not read: the frames whose
bytes are in the file are counted.

ISO/IEC 14496-12
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import repeat

from callmissed_ai.audio.reading.mpeg import ADTS_RATES
from callmissed_ai.audio.reading.packets import OPUS_RATE, opus_samples
from callmissed_ai.audio.reading.track import MAX_TRACKS, Frame, Links, NotAudio, Track, checked_channels, checked_rate

_CONTAINERS = {b"moov", b"trak", b"mdia", b"minf", b"stbl", b"moof", b"traf"}
_TAKEN = {b"tkhd", b"hdlr", b"stsd", b"stsz", b"stco", b"co64", b"stsc", b"trun"}
_MAX_BOXES = 200_000
_MAX_FRAMES = 2**22
"""Frames that are looked at: a few bytes can claim billions, or the same bytes again and again."""

_MIN_ALAC_SAMPLES, _MAX_ALAC_SAMPLES = 256, 16_384
_ESCAPE = 15
_SAMPLE_ENTRY_BYTES = 28
_AAC_SAMPLES = 1_024

Box = tuple[bytes, int, int]
"""Type of a box, and where its content begins and ends."""


@dataclass(slots=True)
class _Tables:
    """What the boxes of one track say."""

    number: int = 0
    sound: bool = False
    entry: bytes = b""
    sizes: bytes = b""
    chunks: bytes = b""
    wide: bool = False
    runs: bytes = b""
    default_size: int = 0
    base: int = 0
    fragments: list[tuple[int, Iterable[int]]] = field(default_factory=list[tuple[int, Iterable[int]]])


@dataclass(frozen=True, slots=True)
class _Codec:
    """How the frames of a track become samples. `samples` is 0 where each frame says it."""

    name: str
    rate: int
    channels: int
    samples: int
    head: bytes = b""


def tracks(data: bytes) -> Links:
    """The tracks of sound of an MP4 file. Raises NotAudio."""
    found = _read(data)
    sounding = [(tables, codec) for tables in found if tables.sound and (codec := _codec(tables.entry))]
    if not sounding:
        raise NotAudio("an MP4 file without AAC, ALAC or Opus")
    return [[_track(data, tables, codec) for tables, codec in sounding]]


def _boxes(data: bytes, start: int, end: int) -> Iterator[Box]:
    at = start
    while at + 8 <= end:
        size, name, head = int.from_bytes(data[at : at + 4]), data[at + 4 : at + 8], 8
        if size == 1 and at + 16 <= end:
            size, head = int.from_bytes(data[at + 8 : at + 16]), 16
        if size == 0:
            size = end - at
        if size < head:
            return
        yield name, at + head, min(at + size, end)
        at += size


def _read(data: bytes) -> list[_Tables]:
    found: list[_Tables] = []
    left = _MAX_BOXES
    todo = list(reversed([(name, start, end, start - 8) for name, start, end in _boxes(data, 0, len(data))]))
    current = _Tables()
    while todo:
        name, start, end, moof = todo.pop()
        left -= 1
        if left < 0 or len(found) > MAX_TRACKS:
            raise NotAudio("an MP4 file in too many parts")
        if name == b"trak":
            current = _Tables()
            found.append(current)
        elif name == b"tfhd":
            current = next(
                (each for each in found if each.number == int.from_bytes(data[start + 4 : start + 8])), _Tables()
            )
            _fragment_head(data, start, end, moof, current)
        else:
            _take(name, data, start, end, moof, current)
        if name in _CONTAINERS:
            inner = [(n, s, e, start - 8 if name == b"moof" else moof) for n, s, e in _boxes(data, start, end)]
            todo += reversed(inner)
    return found


def _take(name: bytes, data: bytes, start: int, end: int, moof: int, tables: _Tables) -> None:
    if name not in _TAKEN:
        return
    body = data[start:end]
    match name:
        case b"tkhd":
            tables.number = int.from_bytes(body[20:24] if body[:1] == b"\x01" else body[12:16])
        case b"hdlr":
            tables.sound = tables.sound or body[8:12] == b"soun"
        case b"stsd":
            tables.entry = body[8:]
        case b"stsz":
            tables.sizes = body[4:]
        case b"stco" | b"co64":
            tables.chunks, tables.wide = body[8:], name == b"co64"
        case b"stsc":
            tables.runs = body[8:]
        case b"trun":
            _run(body, tables)
        case _:
            pass


def _fragment_head(data: bytes, start: int, end: int, moof: int, tables: _Tables) -> None:
    body = data[start:end]
    flags, at, base = int.from_bytes(body[1:4]), 8, moof
    if flags & 1:
        base, at = int.from_bytes(body[at : at + 8]), at + 8
    at += (4 if flags & 2 else 0) + (4 if flags & 8 else 0)
    tables.default_size = int.from_bytes(body[at : at + 4]) if flags & 0x10 else tables.default_size
    tables.base = base


def _run(body: bytes, tables: _Tables) -> None:
    """Take a run of samples: where they begin, and the size of each."""
    flags, count, at = int.from_bytes(body[1:4]), int.from_bytes(body[4:8]), 8
    base = tables.base
    if flags & 1:
        base, at = base + int.from_bytes(body[at : at + 4], signed=True), at + 4
    at += 4 if flags & 4 else 0
    before = 4 if flags & 0x100 else 0
    step = before + sum(4 for flag in (0x200, 0x400, 0x800) if flags & flag)
    if flags & 0x200:
        count = min(count, (len(body) - at) // step)
        sizes = [int.from_bytes(body[at + before + n * step : at + before + 4 + n * step]) for n in range(count)]
        tables.fragments.append((base, sizes))
    else:
        tables.fragments.append((base, repeat(tables.default_size, count)))


def _track(data: bytes, tables: _Tables, codec: _Codec) -> Track:
    def frames() -> Iterator[Frame]:
        for number, (at, size) in enumerate(_places(tables, len(data))):
            if number == _MAX_FRAMES:
                raise NotAudio("too many frames")
            if at >= 0 and size > 0:
                frame = data[at : at + size]
                yield frame, codec.samples or opus_samples(frame)

    return Track(codec.name, codec.rate, codec.channels, frames, codec.head)


def _places(tables: _Tables, end: int) -> Iterator[tuple[int, int]]:
    """Where each frame is, and its size; those after the `end` of the file are not there."""
    same, count = int.from_bytes(tables.sizes[:4]), int.from_bytes(tables.sizes[4:8])
    width, number = 8 if tables.wide else 4, 0
    if not same:
        count = min(count, (len(tables.sizes) - 8) // 4)
    for chunk, frames in enumerate(_frames_of_chunks(tables.runs, len(tables.chunks) // width)):
        at, last = int.from_bytes(tables.chunks[chunk * width : chunk * width + width]), min(number + frames, count)
        sizes = repeat(same, last - number) if same else _sizes(tables.sizes, number, last)
        yield from _within(at, sizes, end)
        number = last
    for base, sizes in tables.fragments:
        yield from _within(base, sizes, end)


def _sizes(table: bytes, first: int, last: int) -> Iterator[int]:
    return (int.from_bytes(table[8 + number * 4 : 12 + number * 4]) for number in range(first, last))


def _within(at: int, sizes: Iterable[int], end: int) -> Iterator[tuple[int, int]]:
    for size in sizes:
        if at + size > end:
            return
        yield at, size
        at += size


def _frames_of_chunks(runs: bytes, chunks: int) -> Iterator[int]:
    """Frames in each chunk: a run begins at a chunk, counted from 1, and lasts until the next one."""
    heads = [
        (int.from_bytes(runs[at : at + 4]), int.from_bytes(runs[at + 4 : at + 8])) for at in range(0, len(runs), 12)
    ]
    frames, place = 0, 0
    for chunk in range(1, chunks + 1):
        while place < len(heads) and heads[place][0] <= chunk:
            frames, place = heads[place][1], place + 1
        yield frames


def _codec(entry: bytes) -> _Codec | None:
    """The codec of the first sample entry. Raises NotAudio for one whose settings make no sense."""
    name, inner = entry[4:8], entry[8 + _SAMPLE_ENTRY_BYTES :]
    channels, rate = int.from_bytes(entry[24:26]), int.from_bytes(entry[32:34])
    boxes = {kind: inner[start:end] for kind, start, end in _boxes(inner, 0, len(inner))}
    if name == b"mp4a":
        config = _descriptor(boxes.get(b"esds", b"")[4:])
        rate, channels = _aac_settings(config, rate, channels)
        return _Codec("aac", checked_rate(rate), checked_channels(channels), _AAC_SAMPLES, config)
    if name == b"Opus":
        return _Codec("opus", OPUS_RATE, checked_channels(channels), 0)
    if name == b"alac" and len(cookie := boxes.get(b"alac", b"")[4:]) >= 24:
        frame, rate = int.from_bytes(cookie[:4]), int.from_bytes(cookie[20:24])
        return _Codec(
            "alac",
            checked_rate(rate),
            checked_channels(cookie[9]),
            min(max(_MIN_ALAC_SAMPLES, frame), _MAX_ALAC_SAMPLES),
        )
    return None


def _descriptor(body: bytes) -> bytes:
    """The decoder's settings: descriptor 5 in 4 in 3."""
    at = 0
    while at + 2 <= len(body):
        tag, size, at = body[at], 0, at + 1
        while at < len(body):
            byte, at = body[at], at + 1
            size = size << 7 | byte & 0x7F
            if not byte & 0x80:
                break
        if tag == 5:
            return body[at : at + size]
        at += 3 if tag == 3 else 13 if tag == 4 else size
    return b""


def _aac_settings(config: bytes, rate: int, channels: int) -> tuple[int, int]:
    """The rate and the channels of the core, by its AudioSpecificConfig where there is one."""
    bits = int.from_bytes(config[:6].ljust(6, b"\0"))
    if len(config) < 2 or bits >> 43 == 31:
        return rate, channels
    index = bits >> 39 & 15
    if index == _ESCAPE:
        return bits >> 15 & 0xFFFFFF, (bits >> 11 & 15) or channels
    return ADTS_RATES[index] if index < len(ADTS_RATES) else rate, (bits >> 35 & 15) or channels


def adts_frame(track: Track, frame: bytes) -> bytes:
    """An AAC frame of an MP4 with the header that it needs in a stream. Raises NotAudio where none fits."""
    kind, size = track.head[0] >> 3 if track.head else 2, len(frame) + 7
    if kind not in (1, 2, 3, 4) or track.rate not in ADTS_RATES or track.channels > 7:
        raise NotAudio("AAC of a kind that can't be cut")
    index = ADTS_RATES.index(track.rate)
    head = 0xFFF1 << 40 | kind - 1 << 38 | index << 34 | track.channels << 30 | size << 13 | 0x7FF << 2
    return head.to_bytes(7) + frame
