"""A webhook's signing secrets, sealed: `[sealed secret, last moment at which it signs]`, the newest first.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md#symmetric
"""

from typing import Any

Secrets = list[list[Any]]
"""Of the newest, the last moment is None; else it is epoch microseconds."""


def masked(secret: str) -> str:
    """What is shown of a secret after its first showing."""
    return f"{secret[:4]}****{secret[-4:]}"


def rotated(secrets: Secrets, sealed: str, *, until: int, now: int) -> Secrets:
    """`secrets` once `sealed` is the newest: the one before it signs on to `until`, an earlier one no longer."""
    earlier = [[secrets[0][0], until]] if until > now else []
    return [[sealed, None], *earlier]
