"""JSON that every parser reads alike, and that can be walked without exhausting the stack.

Python reads more than JSON: NaN, Infinity, UTF-16. How deep it reads depends on its version, and functions that walk
what it read are limited sooner.
"""

import json
import re
from collections.abc import Iterator
from sys import float_info
from typing import Any, NoReturn, cast

MAX_REPLY_DEPTH = 300
"""Maximum nesting of what an upstream sends: far above any real reply, far below the limit of a stack."""

MAX_CONTAINERS = 100_000
"""Maximum of objects and lists in a request: each takes longer to read than many numbers or a long text."""

_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)


def refuse_constant(name: str) -> NoReturn:
    """For `parse_constant`. Raises ValueError."""
    raise ValueError(f"{name} is not a JSON number.")


def finite(text: str) -> float:
    """For `parse_float`: the number, or the largest float where it is larger, since JSON has no infinity to write."""
    return max(-float_info.max, min(float(text), float_info.max))


_decoder = json.JSONDecoder(parse_constant=refuse_constant, parse_float=finite)


def read_strictly(data: bytes) -> Any:
    """The JSON value in `data`. Raises ValueError for what is no JSON, is not UTF-8, or is nested too deeply."""
    try:
        value = _decoder.decode(data.decode())
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if count_containers(data) > MAX_REPLY_DEPTH and is_deeper(value, MAX_REPLY_DEPTH):
        raise ValueError("nested too deeply")
    return value


def count_containers(data: bytes) -> int:
    """How many objects and lists JSON has at most: those that its strings speak of are counted too."""
    return data.count(b"[") + data.count(b"{")


def containers_in(data: bytes) -> int:
    """How many objects and lists JSON has."""
    return count_containers(_STRING.sub(b"", data))


def is_deeper(value: Any, levels: int) -> bool:
    """Whether containers are nested deeper than `levels`."""
    level = [value]
    for _ in range(levels):
        level = [inner for outer in level for inner in _inner(outer) if isinstance(inner, dict | list)]
        if not level:
            return False
    return True


def _inner(container: Any) -> Iterator[Any]:
    if isinstance(container, dict):
        return iter(cast("dict[str, Any]", container).values())
    return iter(cast("list[Any]", container) if isinstance(container, list) else ())
