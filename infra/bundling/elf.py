"""Shrinking compiled extensions for another architecture, which the host's own `strip` may not know."""

import struct
from pathlib import Path

_ELF64_LITTLE_ENDIAN = b"\x7fELF\x02\x01"
_PROGRAM_HEADER_TABLE = 32
_SECTION_HEADER_TABLE = 40
_PROGRAM_HEADER_SIZE_AND_COUNT = 54
_SECTION_HEADER_SIZE_COUNT_AND_NAMES = 58


def drop_unmapped_tail(library: Path) -> None:
    """Cut a shared object after its last segment: debug information and the symbol table go.

    The loader reads segments only, so the library works as before. Files of another kind stay as they are.
    """
    image = bytearray(library.read_bytes())
    if not image.startswith(_ELF64_LITTLE_ENDIAN):
        return
    end = max(_segment_end(image, header) for header in _program_headers(image))
    struct.pack_into("<Q", image, _SECTION_HEADER_TABLE, 0)
    struct.pack_into("<HHH", image, _SECTION_HEADER_SIZE_COUNT_AND_NAMES, 0, 0, 0)
    library.write_bytes(image[:end])


def _program_headers(image: bytearray) -> range:
    (table,) = struct.unpack_from("<Q", image, _PROGRAM_HEADER_TABLE)
    size, count = struct.unpack_from("<HH", image, _PROGRAM_HEADER_SIZE_AND_COUNT)
    return range(table, table + size * count, size)


def _segment_end(image: bytearray, header: int) -> int:
    (offset,) = struct.unpack_from("<Q", image, header + 8)
    (size,) = struct.unpack_from("<Q", image, header + 32)
    return offset + size
