"""The operation that a request asks for, by an id that all runs of the request share."""

import hashlib
import secrets
from dataclasses import dataclass
from uuid import UUID

from callmissed.clock import Micros


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation, however often it is begun. `id` is 32 hex digits.

    `begun` is when its first run began, to the second; None where nothing repeats it.
    """

    id: str
    begun: Micros | None = None

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

    def new_uuid(self, prefix: str, now: Micros) -> str:
        """As `new_id`, a UUID of version 7, which sorts by the time at which the operation began.

        https://www.rfc-editor.org/rfc/rfc9562#name-uuid-version-7
        """
        milliseconds = (now if self.begun is None else self.begun) // 1000
        random = int(derived(self.id, prefix)[:19], 16)
        bits = milliseconds << 80 | 7 << 76 | (random >> 64 & 0xFFF) << 64 | 0b10 << 62 | random & (1 << 62) - 1
        return str(UUID(int=bits))


def derived(*parts: str) -> str:
    """SHA-256 of `parts`, in 64 hex digits."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()
