"""Coroutines that wait for nothing, run without an event loop: making one takes longer than most of them."""

from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


def result_of(coroutine: Coroutine[Any, Any, T]) -> T:
    """What `coroutine` returns; it fails if it would wait. Raises what it raises."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        return end.value
    coroutine.close()
    raise AssertionError(f"{coroutine!r} waits")
