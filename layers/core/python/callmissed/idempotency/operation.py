"""The operation that a request asks for, by an id that all runs of the request share."""

import hashlib
import secrets
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation, however often it is begun. `id` is 32 hex digits."""

    id: str

    @classmethod
    def new(cls) -> "Operation":
        """An operation that nobody has begun."""
        return cls(secrets.token_hex(16))

    def new_id(self, prefix: str) -> str:
        """An id for what the operation creates, shaped as `callmissed.ids.new_id` shapes them: always the same one.

        Write what it names IF NOT EXISTS, and a run after a crash creates nothing twice. An operation that creates
        several things of a kind tells them apart by the prefix.
        """
        return f"{prefix}_{derived(self.id, prefix)[:24]}"


def derived(*parts: str) -> str:
    """64 hex digits that follow from `parts`, and from which nobody learns them."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()
