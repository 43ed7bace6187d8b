"""Refresh tokens: opaque to callers, checked without a read, and each the source of its successor.

    cmr_<tenant>.<user>.<session>.<turn>.<secret>.<tag>

The tag is an HMAC of everything before it, so that garbage never reaches a table, and an old token proves that it was
genuine once. The successor's secret is an HMAC of the presented token, so that each retry of a rotation finds the same.
"""

import hashlib
import hmac
import secrets
from dataclasses import dataclass

PREFIX = "cmr_"
_FIELDS = 6


@dataclass(frozen=True, slots=True)
class RefreshToken:
    """A genuine token. `turn` counts the rotations before it, `text` is the whole token."""

    tenant: str
    user_id: str
    session_id: str
    turn: int
    text: str

    @property
    def hash(self) -> str:
        """SHA-256 of the token, as sessions store it."""
        return hashlib.sha256(self.text.encode()).hexdigest()


class RefreshTokens:
    """Makes and recognises refresh tokens under a ring of peppers, the current one first."""

    def __init__(self, peppers: tuple[bytes, ...]) -> None:
        self._peppers = peppers

    def first(self, tenant: str, user_id: str, session_id: str) -> RefreshToken:
        """The first token of a session."""
        return self._token(self._peppers[0], (tenant, user_id, session_id), 0, secrets.token_hex(32))

    def parse(self, text: str) -> RefreshToken | None:
        """The token, if it was made here."""
        body, _, tag = text.rpartition(".")
        fields = text.removeprefix(PREFIX).split(".")
        if not text.startswith(PREFIX) or not text.isascii() or len(fields) != _FIELDS:
            return None
        if not any(hmac.compare_digest(_tag(pepper, body), tag) for pepper in self._peppers):
            return None
        return RefreshToken(fields[0], fields[1], fields[2], int(fields[3]), text)

    def successors(self, token: RefreshToken) -> list[RefreshToken]:
        """What follows `token`: first the token that is made today, then those under the other peppers of the ring."""
        return [self._successor(pepper, token) for pepper in self._peppers]

    def _successor(self, pepper: bytes, token: RefreshToken) -> RefreshToken:
        secret = hmac.new(pepper, f"successor\0{token.text}".encode(), hashlib.sha256).hexdigest()
        return self._token(pepper, (token.tenant, token.user_id, token.session_id), token.turn + 1, secret)

    def _token(self, pepper: bytes, names: tuple[str, str, str], turn: int, secret: str) -> RefreshToken:
        body = PREFIX + ".".join((*names, str(turn), secret))
        return RefreshToken(*names, turn, f"{body}.{_tag(pepper, body)}")


def _tag(pepper: bytes, body: str) -> str:
    return hmac.new(pepper, f"refresh\0{body}".encode(), hashlib.sha256).hexdigest()[:32]
