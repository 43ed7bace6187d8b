"""Samples of sixteen bits as the formats that need no library."""

import sys
from array import array
from itertools import accumulate, pairwise

from callmissed_ai.audio.wav import header

_BIAS, _CLIP = 0x84, 32_635


def resampled(samples: "array[int]", rate: int, wanted: int) -> "array[int]":
    """`samples` at the `wanted` rate: with straight lines between them, or the means of those that become one."""
    if rate == wanted or not samples:
        return samples
    if wanted < rate:
        return _means(samples, rate, wanted)
    last = len(samples) - 1
    found = array("h")
    for place in range(len(samples) * wanted // rate):
        before, part = divmod(place * rate, wanted)
        here, there = samples[min(before, last)], samples[min(before + 1, last)]
        found.append(here + (there - here) * part // wanted)
    return found


def _means(samples: "array[int]", rate: int, wanted: int) -> "array[int]":
    """A mean keeps the tones that the lower rate can't have from sounding as others."""
    sums = [0, *accumulate(samples)]
    ends = [place * rate // wanted for place in range(len(samples) * wanted // rate + 1)]
    return array("h", ((sums[end] - sums[start]) // (end - start) for start, end in pairwise(ends)))


def encoded(samples: "array[int]", audio_format: str, rate: int) -> bytes:
    """`samples` as wav, pcm, mulaw or alaw."""
    if audio_format in ("mulaw", "alaw"):
        code = _mulaw if audio_format == "mulaw" else _alaw
        codes = {sample: code(sample) for sample in set(samples)}
        return bytes(codes[sample] for sample in samples)
    pcm = _little_endian(samples)
    return header(rate, data_bytes=len(pcm)) + pcm if audio_format == "wav" else pcm


def samples_of(pcm: bytes) -> "array[int]":
    """The samples in `pcm`, which is in little endian."""
    samples = array("h", pcm[: len(pcm) // 2 * 2])
    if sys.byteorder == "big":
        samples.byteswap()
    return samples


def _little_endian(samples: "array[int]") -> bytes:
    if sys.byteorder == "big":
        samples = samples[:]
        samples.byteswap()
    return samples.tobytes()


def _mulaw(sample: int) -> int:
    """G.711 µ-law."""
    sign = 0x80 if sample < 0 else 0
    size = min(abs(sample), _CLIP) + _BIAS
    exponent = size.bit_length() - 8
    return ~(sign | exponent << 4 | size >> exponent + 3 & 0x0F) & 0xFF


def _alaw(sample: int) -> int:
    """G.711 A-law."""
    sign = 0x80 if sample >= 0 else 0
    size = min(sample if sample >= 0 else ~sample, 32_767) >> 4
    exponent = max(size.bit_length() - 4, 1)
    code = size if size < 16 else exponent << 4 | size >> exponent - 1 & 0x0F
    return (sign | code) ^ 0x55
