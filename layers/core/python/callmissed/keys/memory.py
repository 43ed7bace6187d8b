"""What a process remembers of each key: bounded, the oldest first to go."""

from typing import TypeVar

MAX_KEYS = 4096

T = TypeVar("T")


def remember(memory: dict[str, T], key_hash: str, value: T) -> None:
    """Keep `value` for the key, in the place of the oldest one's when the memory is full."""
    if len(memory) >= MAX_KEYS and key_hash not in memory:
        memory.pop(next(iter(memory)))
    memory[key_hash] = value
