"""Audio for tests: recorded files of 1.5 seconds, and WAV files with any header."""

import array
import math
import struct
from pathlib import Path

FILES = Path(__file__).parent / "audio"
RECORDED = tuple(sorted(path.name for path in FILES.iterdir() if path.suffix != ".md"))


def recorded(name: str) -> bytes:
    """A recorded file."""
    return (FILES / name).read_bytes()


def wav(
    seconds: float = 1.5,
    *,
    rate: int = 8_000,
    channels: int = 1,
    claimed: int | None = None,
    quiet: tuple[float, ...] = (),
    tail: bytes = b"",
) -> bytes:
    """A tone in 16 bits, whose header claims so many bytes; half a second of silence at each of the `quiet` times."""
    period = array.array("h", (round(9_000 * math.sin(n / 8 * math.tau)) for n in range(8)))
    samples = (period * math.ceil(seconds * rate / 8))[: round(seconds * rate)]
    for at in quiet:
        begin, end = round(at * rate), min(round((at + 0.5) * rate), len(samples))
        samples[begin:end] = array.array("h", bytes(2 * max(0, end - begin)))
    body = samples.tobytes()
    if channels > 1:
        body = b"".join(body[at : at + 2] * channels for at in range(0, len(body), 2))
    size = len(body) if claimed is None else claimed
    layout = struct.pack("<HHIIHH", 1, channels, rate, rate * channels * 2, channels * 2, 16)
    head = b"RIFF" + struct.pack("<I", min(size + 36, 0xFFFFFFFF)) + b"WAVEfmt " + struct.pack("<I", 16) + layout
    return head + b"data" + struct.pack("<I", size) + body + tail


def silence(hours: int) -> bytes:
    """Hours of Opus in a megabyte or two."""
    head = recorded("opus.ogg")
    second_page = head.index(b"OggS", head.index(b"OggS", 1) + 1)
    packet = b"\xfb\x06"  # six frames of 20 ms without a byte in them
    page = b"OggS\0\0" + bytes(8) + head[14:18] + bytes(8) + b"\xff" + b"\x02" * 255 + packet * 255
    return head[:second_page] + page * (hours * 3_600 * 1_000 // 120 // 255 + 1)


def days() -> bytes:
    """More than a day of AAC: four blocks at 8 kHz in seven bytes, many times."""
    return bytes((0xFF, 0xF1, 0x6C, 0x40, 0x00, 0xFF, 0xFF)) * 200_000
