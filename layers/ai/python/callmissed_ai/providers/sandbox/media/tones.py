"""A tone in place of a voice, for machines without an engine that speaks. Its length is that of the text."""

from array import array
from base64 import b64decode
from collections.abc import Mapping
from math import ceil, pi, sin

_TONE_HERTZ = 450
_BLOCKS_PER_SECOND = 50
"""A block has whole periods of the tone and whole samples of every rate, so that blocks join without a click."""

_LOUDNESS = 6_000

_MP3_FRAMES: Mapping[int, tuple[int, str]] = {
    8_000: (576, "/+MYxAAG8tYIALgO6P//q//+EemcGXT3//q/+gf/////9///X//4mDkxBTUUzLjEwMAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"),
    16_000: (576, "//MoxAAI4x4IALgLZH//8I/6IMkUP//V//8sFv/Ud/////6j//////UN//9f//hY9MQU1FMy4xMDAAAAAAAAAAAAAAAAAAAA"),
    22_050: (
        576,
        "//MyxAAH+hYMALgLJPhEAtBgZR4R8CQYaE//f/ywf8aG///+rf///f///xoamIKaimZcYmBgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==",
    ),
    24_000: (576, "//M0xAAIkhYMAKXKKPhFaDAyjwj4Egw0J/+//hQ//1/+NDf//t6t///9//t/40NTEFNRTMuMTAwAAAAAAAAAAAAAAAAAAAAA"),
    48_000: (
        1152,
        "//s0xAADxCjPBguAWECFGeDBcAsI+EfFQGD23hEBQBgJv5YP+r5YPf+dP4Jv/t/6D/+DH+z6PhHxUBg9t4RAUAYCb+WD/q+WD3/nT+Cb/7f"
        "+g//gx/s+hMQU1FMy4xMDAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    ),
}
"""For each rate the samples of a frame of MP3, and one frame that stands for itself: a tone of about 500 Hz."""


def tone_samples(seconds: float, rate: int) -> "array[int]":
    """Samples of a tone that is `seconds` long, rounded up to a fiftieth."""
    size = rate // _BLOCKS_PER_SECOND
    block = array("h", (round(_LOUDNESS * sin(2 * pi * _TONE_HERTZ * place / rate)) for place in range(size)))
    return block * ceil(seconds * _BLOCKS_PER_SECOND)


def tone_mp3(seconds: float, rate: int) -> bytes:
    """The same as MP3, rounded up to whole frames."""
    samples, frame = _MP3_FRAMES[rate]
    return b64decode(frame) * ceil(seconds * rate / samples)
