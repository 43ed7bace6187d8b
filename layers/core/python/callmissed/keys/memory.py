"""A bounded cache per key: the oldest entry is evicted first."""

from typing import TypeVar

MAX_KEYS = 4096

T = TypeVar("T")


def remember(memory: dict[str, T], key_hash: str, value: T) -> None:
    """Store `value` for the key; evicts the oldest entry when the cache is full."""
    if len(memory) >= MAX_KEYS and key_hash not in memory:
        memory.pop(next(iter(memory)))
    memory[key_hash] = value
