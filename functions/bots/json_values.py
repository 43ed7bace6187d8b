"""Bounds of JSON that tenants write freely: its size, its depth, and that JSON can carry it."""

import json
from typing import Any, cast

MAX_DEPTH = 16


def check_json(value: Any, max_bytes: int) -> None:
    """Raise ValueError for what can't be stored, shown and passed on, or is larger than `max_bytes`."""
    if _is_deeper(value, MAX_DEPTH):
        raise ValueError(f"it has more than {MAX_DEPTH} levels")
    try:
        size = len(json.dumps(value, ensure_ascii=False, allow_nan=False).encode())
    except ValueError:
        raise ValueError("it has a text that is no Unicode, or a number that is none in JSON") from None
    if size > max_bytes:
        raise ValueError(f"it is larger than {max_bytes} bytes")


def _is_deeper(value: Any, levels: int) -> bool:
    """Whether objects and arrays are nested deeper. It looks level by level, without recursion."""
    level: list[Any] = [value]
    for _ in range(levels + 1):
        level = [inner for each in level for inner in _inside(each)]
    return bool(level)


def _inside(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(cast("dict[str, Any]", value).values())
    return cast("list[Any]", value) if isinstance(value, list) else []
