"""Vectors on the wire: lists of numbers, or base64 of little-endian float32."""

import base64
import struct
from collections.abc import Sequence
from math import isfinite
from typing import Any, Literal, cast

from callmissed_ai.dialects.json_reply import UnusableReply

Encoding = Literal["float", "base64"]
_FLOAT_BYTES = 4


def encoded(vector: Sequence[float], encoding: Encoding) -> list[float] | str:
    """`vector` in the encoding of an answer."""
    return list(vector) if encoding == "float" else base64.b64encode(_packed(vector)).decode()


def converted(value: object, encoding: Encoding) -> list[float] | str:
    """The vector `value` of a reply in the requested encoding; unchanged if it has that encoding already.

    Raises UnusableReply for a value that is no vector.
    """
    if isinstance(value, str):
        vector = _unpacked(value)
        return value if encoding == "base64" else vector
    vector = _checked(cast("list[Any]", value) if isinstance(value, list) else [])
    return vector if encoding == "float" else encoded(vector, "base64")


def dimensions_of(value: list[float] | str) -> int:
    """How many numbers an encoded vector has."""
    if isinstance(value, list):
        return len(value)
    return (len(value) * 3 // 4 - value.count("=", -2)) // _FLOAT_BYTES


def _packed(vector: Sequence[float]) -> bytes:
    try:
        return struct.pack(f"<{len(vector)}f", *vector)
    except OverflowError:
        raise UnusableReply("a number beyond float32") from None


def _unpacked(text: str) -> list[float]:
    try:
        data = base64.b64decode(text, validate=True)
        return _checked(list(struct.unpack(f"<{len(data) // _FLOAT_BYTES}f", data)))
    except (ValueError, struct.error):
        raise UnusableReply("an embedding that is not base64 of float32") from None


def _checked(vector: list[Any]) -> list[float]:
    """`vector` if it is one of finite numbers. A batch has 200,000 of them, so they are checked without a Python loop.

    Raises UnusableReply.
    """
    try:
        if not vector or not {*map(type, vector)} <= {int, float} or not isfinite(sum(vector)):
            raise UnusableReply("an embedding that is no vector")
    except OverflowError:
        raise UnusableReply("a number beyond float32") from None
    return vector
