"""A webhook's signing secrets.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md#symmetric
"""

from collections.abc import Sequence

from callmissed.clock import Micros
from functions.webhooks.storage.records import SigningSecret


def masked(secret: str) -> str:
    """Mask of a secret, after it was shown in full once."""
    return f"{secret[:4]}****{secret[-4:]}"


def rotated(secrets: Sequence[SigningSecret], sealed: str, *, until: Micros, now: Micros) -> list[SigningSecret]:
    """`secrets` once `sealed` is the newest: the previous one signs until `until`, earlier ones no longer."""
    earlier = [secrets[0]._replace(expires_at=until)] if until > now else []
    return [SigningSecret(sealed), *earlier]
