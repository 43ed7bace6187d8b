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
        """A new operation with a random id."""
        return cls(secrets.token_hex(16))

    def new_id(self, prefix: str) -> str:
        """An id, in the form of `callmissed.ids.new_id`, for a new item: the same prefix gives the same id.

        Write the new item IF NOT EXISTS, so that a run after a crash creates nothing twice. An operation that creates
        several things of a kind gives each its own prefix.
        """
        return f"{prefix}_{derived(self.id, prefix)[:24]}"


def derived(*parts: str) -> str:
    """SHA-256 of `parts`, in 64 hex digits."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()
