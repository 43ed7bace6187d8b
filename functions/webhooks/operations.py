"""Ids at which a request and its repeats under one Idempotency-Key arrive alike."""

import hashlib

from callmissed.ids import new_id


def digest(*parts: str) -> str:
    """64 hexadecimal digits that stand for `parts`."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def id_for(prefix: str, owner: str, operation: str | None) -> str:
    """The id of what `operation` makes for `owner`; a random one without an operation."""
    return f"{prefix}_{digest(owner, operation)[:24]}" if operation else new_id(prefix)
