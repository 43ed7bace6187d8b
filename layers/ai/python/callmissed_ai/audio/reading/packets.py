"""How many samples a packet of Opus or Vorbis has.

https://www.rfc-editor.org/rfc/rfc6716#section-3, https://xiph.org/vorbis/doc/Vorbis_I_spec.html
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from callmissed_ai.audio.reading.track import Frame, NotAudio, checked_channels, checked_rate

OPUS_RATE = 48_000
_MAX_OPUS_SAMPLES = 5_760
_OPUS_FRAMES = (*[480, 960, 1_920, 2_880] * 3, *[480, 960] * 2, *[120, 240, 480, 960] * 4)
_MODE_BITS, _MAX_MODES = 41, 64


def opus_samples(packet: bytes) -> int:
    """Samples of an Opus packet at 48 kHz."""
    if not packet:
        return 0
    frame, code = _OPUS_FRAMES[packet[0] >> 3], packet[0] & 3
    if code == 3:
        return min(frame * (packet[1] & 63), _MAX_OPUS_SAMPLES) if len(packet) > 1 else 0
    return frame * 2 if code else frame


@dataclass(frozen=True, slots=True)
class Vorbis:
    """What the headers of a Vorbis stream say: samples of a short and a long block, and which of them a mode has."""

    rate: int
    channels: int
    blocks: tuple[int, int]
    modes: tuple[int, ...]

    def frames(self, packets: Iterable[bytes]) -> Iterator[Frame]:
        """The packets of sound: each adds a quarter of its block and of the one before it."""
        bits, last = max(0, (len(self.modes) - 1).bit_length()), 0
        for packet in packets:
            if not packet or packet[0] & 1:
                continue
            mode = packet[0] >> 1 & (1 << bits) - 1
            block = self.blocks[self.modes[mode]] if mode < len(self.modes) else self.blocks[1]
            yield packet, (last + block) // 4 if last else 0
            last = block


def vorbis(head: bytes, setup: bytes) -> Vorbis:
    """What an identification and a setup header say. Raises NotAudio."""
    if len(head) < 29 or not setup.startswith(b"\x05vorbis"):
        raise NotAudio("a Vorbis stream whose headers are cut")
    sizes = head[28]
    channels, rate = checked_channels(head[11]), checked_rate(int.from_bytes(head[12:16], "little"))
    return Vorbis(rate, channels, (1 << (sizes & 15), 1 << (sizes >> 4)), _modes(setup))


def _modes(setup: bytes) -> tuple[int, ...]:
    """Block flags of the modes, which end a setup header, so that they are read from its end. Raises NotAudio."""
    bits = int.from_bytes(setup, "little")
    end = bits.bit_length() - 1  # the framing bit, after which there are only zeros
    found: list[int] = []
    counted = 0
    while end >= _MODE_BITS + 6 and len(found) < _MAX_MODES:
        mode = bits >> end - _MODE_BITS & (1 << _MODE_BITS) - 1
        if mode >> 1 & 0xFFFFFFFF or mode >> 33 >= 64:
            break
        found.append(mode & 1)
        end -= _MODE_BITS
        if (bits >> end - 6 & 63) + 1 == len(found):
            counted = len(found)
    if not counted:
        raise NotAudio("a Vorbis stream without modes")
    return tuple(reversed(found[:counted]))
