"""Signatures of outgoing webhooks: those of Standard Webhooks, and the simpler one in `X-CallMissed-Signature`.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md. Receivers to copy are in
docs/webhooks/; tests run them against these signatures.
"""

import base64
import hashlib
import hmac
import secrets as randomness
from collections.abc import Sequence

USER_AGENT = "CallMissed-Webhooks/1"
_PREFIX = "whsec_"
_KEY_BYTES = range(24, 65)
"""Bytes that the specification allows for a key."""


def new_secret() -> str:
    """A secret of 256 random bits, as a webhook's owner gets it."""
    return _PREFIX + base64.b64encode(randomness.token_bytes(32)).decode()


def headers(
    secrets: Sequence[str], delivery_id: str, event_type: str, body: bytes, timestamp_seconds: int
) -> dict[str, str]:
    """Headers of the attempt made at `timestamp_seconds` (epoch) to deliver `body`.

    `secrets` are the live ones, the newest first; each signs, so that a receiver may verify with any of them. Raises
    ValueError when there is none, and for a malformed one.
    """
    keys = [_key(secret) for secret in secrets]
    if not keys:
        raise ValueError("a webhook has at least one live secret")
    content = f"{delivery_id}.{timestamp_seconds}.".encode() + body
    return {
        "Content-Type": "application/json",
        "User-Agent": USER_AGENT,
        "webhook-id": delivery_id,
        "webhook-timestamp": str(timestamp_seconds),
        "webhook-signature": " ".join(f"v1,{_base64_mac(key, content)}" for key in keys),
        "X-CallMissed-Event": event_type,
        "X-CallMissed-Delivery": delivery_id,
        "X-CallMissed-Signature": ",".join(f"sha256={_hex_mac(secret, body)}" for secret in secrets),
    }


def _key(secret: str) -> bytes:
    """The decoded bytes of a secret. Error messages never contain its text."""
    try:
        key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except ValueError:
        raise ValueError("a webhook's secret is base64 after its prefix") from None
    if not secret.startswith(_PREFIX) or len(key) not in _KEY_BYTES:
        raise ValueError(f"a webhook's secret is {_PREFIX} and 24 to 64 bytes in base64")
    return key


def _base64_mac(key: bytes, content: bytes) -> str:
    return base64.b64encode(hmac.digest(key, content, hashlib.sha256)).decode()


def _hex_mac(secret: str, body: bytes) -> str:
    return hmac.digest(secret.encode(), body, hashlib.sha256).hex()
