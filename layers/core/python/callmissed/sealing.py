"""Sealing: encryption of stored secrets that must be read again, such as a webhook's.

Fernet (https://github.com/fernet/spec: AES-128-CBC with HMAC-SHA256) under keys from Secrets Manager. The first key of
the ring seals, and all keys unseal, so that keys can be rotated.
"""

import base64
import hashlib

from cryptography.fernet import Fernet, InvalidToken, MultiFernet


class UnsealError(Exception):
    """The text was sealed with a key that is not in the ring, or was changed since."""


class Sealer:
    """Seals and unseals texts with a `ring` of keys of 32 bytes or more, the current one first."""

    def __init__(self, ring: tuple[bytes, ...]) -> None:
        keys = (base64.urlsafe_b64encode(hashlib.sha256(key).digest()) for key in ring)
        self._fernet = MultiFernet([Fernet(key) for key in keys])

    def seal(self, text: str) -> str:
        """`text`, sealed."""
        return self.seal_bytes(text.encode()).decode()

    def unseal(self, sealed: str) -> str:
        """The text that was sealed. Raises UnsealError."""
        return self.unseal_bytes(sealed.encode()).decode()

    def seal_bytes(self, content: bytes) -> bytes:
        """`content`, sealed."""
        return self._fernet.encrypt(content)

    def unseal_bytes(self, sealed: bytes) -> bytes:
        """The bytes that were sealed. Raises UnsealError."""
        try:
            return self._fernet.decrypt(sealed)
        except InvalidToken:
            raise UnsealError("what was sealed can't be read with the keys at hand") from None
