"""The secret text of a key: `cm_live_` or `cm_test_`, 40 random letters and digits, 6 of checksum.

The checksum (CRC-32 in base 62, as GitHub's tokens have it,
https://github.blog/2021-04-05-behind-githubs-new-authentication-token-formats/) saves reads of the table for
malformed keys and lets secret scanners verify a match. Only HMAC-SHA256(pepper, secret) is stored, as the item's id.
"""

import hashlib
import hmac
import secrets
import string
import zlib
from enum import StrEnum

_LETTERS = string.digits + string.ascii_uppercase + string.ascii_lowercase
_RANDOM_LENGTH = 40
_CHECKSUM_LENGTH = 6


class Mode(StrEnum):
    """A test key reaches only the sandbox and never costs credits."""

    LIVE = "live"
    TEST = "test"


PREFIXES = tuple(f"cm_{mode}_" for mode in Mode)
"""How secrets begin."""


def new_secret(mode: Mode) -> str:
    """A fresh key with 238 bits of randomness."""
    text = f"cm_{mode}_" + "".join(secrets.choice(_LETTERS) for _ in range(_RANDOM_LENGTH))
    return text + _checksum(text)


def is_well_formed(secret: str) -> bool:
    """True when prefix, length, alphabet and checksum fit; says nothing about whether the key exists."""
    if not secret.startswith(PREFIXES) or not secret.isascii():
        return False
    text, checksum = secret[:-_CHECKSUM_LENGTH], secret[-_CHECKSUM_LENGTH:]
    return len(text) == len("cm_live_") + _RANDOM_LENGTH and hmac.compare_digest(_checksum(text), checksum)


def key_hash(pepper: bytes, secret: str) -> str:
    """Id of the key's item."""
    return hmac.new(pepper, secret.encode(), hashlib.sha256).hexdigest()


def masked(secret: str) -> str:
    """The part of a secret that lists show: enough to recognise a key, not to use it."""
    return f"{secret[:12]}…{secret[-4:]}"


def _checksum(text: str) -> str:
    number, digits = zlib.crc32(text.encode()), ""
    for _ in range(_CHECKSUM_LENGTH):
        number, digit = divmod(number, len(_LETTERS))
        digits = _LETTERS[digit] + digits
    return digits
