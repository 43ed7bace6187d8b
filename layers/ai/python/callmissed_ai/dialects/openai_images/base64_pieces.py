"""Base64 of images, piece by piece: another thread gets its turn after each, as it would not within a long call."""

import base64
import binascii

_PIECE_BYTES = 3 * 2**17
_PIECE_CHARACTERS = 4 * 2**17
_BLANKS = str.maketrans("", "", " \t\r\n")


def encoded(data: bytes) -> bytes:
    """`data` in base64."""
    view = memoryview(data)
    return b"".join(base64.b64encode(view[at : at + _PIECE_BYTES]) for at in range(0, len(data), _PIECE_BYTES))


def decoded(text: str) -> bytes:
    """The bytes in base64, or in a data URL. Raises ValueError for what is none."""
    if text.startswith("data:"):
        text = text.partition(";base64,")[2]
    if any(blank in text for blank in " \t\r\n"):
        text = text.translate(_BLANKS)
    text += "=" * (-len(text) % 4)
    pieces = (text[at : at + _PIECE_CHARACTERS] for at in range(0, len(text), _PIECE_CHARACTERS))
    try:
        found = [binascii.a2b_base64(piece, strict_mode=True) for piece in pieces]
    except ValueError as error:  # also of text beyond ASCII
        raise ValueError("not base64") from error
    if any(len(piece) < _PIECE_BYTES for piece in found[:-1]):
        raise ValueError("base64 that ends in its midst")
    return b"".join(found)
