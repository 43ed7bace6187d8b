"""ID tokens of Google Sign-In: signed with RS256 by one of Google's keys, for one of our OAuth clients.

https://developers.google.com/identity/gsi/web/guides/verify-google-id-token
Google's keys are cached for as long as the answer's headers say. A token with an unknown key asks for them once more,
at most once a minute, because Google may have added one.
"""

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, cast

import jwt

from callmissed.clock import MINUTE, SECOND, Micros
from callmissed.errors import ApiError, service_unavailable
from callmissed.http.client import Answer, SafeClient, SendError
from callmissed.observability import get_logger
from callmissed.tenants.identity import identity

_ALGORITHM = "RS256"
_ISSUERS = ("https://accounts.google.com", "accounts.google.com")
_REQUIRED = ("iss", "aud", "sub", "iat", "exp", "email")
_SKEW_SECONDS = 10
_TIMEOUT_SECONDS = 5
_MAX_KEYS_BYTES = 100_000
_MAX_AGE = re.compile(r"(?:^|[\s,])max-age=(\d{1,9})(?:$|[\s,])", re.IGNORECASE)
_logger = get_logger("google-tokens")


@dataclass(frozen=True, slots=True)
class GoogleIdentity:
    """Who a token is about: an address that Google has verified, and a name. `audience` is the OAuth client."""

    email: str
    name: str
    audience: str


class GoogleKeys:
    """Google's public keys at `url`. Share one per process."""

    def __init__(self, client: SafeClient, url: str) -> None:
        self._client = client
        self._url = url
        self._keys: Mapping[str, jwt.PyJWK] = {}
        self._fresh_until = Micros(0)
        self._read_at: Micros | None = None

    async def key(self, key_id: str, now: Micros) -> jwt.PyJWK | None:
        """The key with that id, if Google has it. Raises ApiError 503 when Google does not answer."""
        if now >= self._fresh_until or (key_id not in self._keys and self._may_ask_again(now)):
            await self._read(now)
        return self._keys.get(key_id)

    def _may_ask_again(self, now: Micros) -> bool:
        return self._read_at is None or now - self._read_at >= MINUTE

    async def _read(self, now: Micros) -> None:
        try:
            answer = await self._client.send(
                "GET", self._url, timeout_seconds=_TIMEOUT_SECONDS, max_bytes=_MAX_KEYS_BYTES
            )
            keys = _keys_of(answer)
        except (SendError, ValueError, jwt.PyJWTError) as failure:
            _logger.error("Google's keys can't be read", extra={"why": type(failure).__name__})
            raise service_unavailable() from None
        self._keys, self._read_at = keys, now
        self._fresh_until = Micros(now + _fresh_seconds(answer.headers) * SECOND)


class GoogleTokens:
    """Verifies ID tokens for the `audiences`, our OAuth clients."""

    def __init__(self, keys: GoogleKeys, audiences: Collection[str]) -> None:
        self._keys = keys
        self._audiences = audiences

    async def verify(self, token: str, now: Micros) -> GoogleIdentity:
        """The identity of a valid token. Raises ApiError 401, and 503 where Google is not configured or answers not."""
        if not self._audiences:
            raise ApiError(503, "service_unavailable", "Sign-in with Google is not configured.")
        try:
            header = jwt.get_unverified_header(token)
        except jwt.InvalidTokenError:
            raise invalid_google_token() from None
        key = await self._keys.key(str(header.get("kid")), now)
        if key is None or header.get("alg") != _ALGORITHM:
            raise invalid_google_token()
        claims = self._claims(token, key)
        if not _is_valid(claims, now // SECOND):
            raise invalid_google_token()
        return GoogleIdentity(identity(claims["email"]), str(claims.get("name") or ""), claims["aud"])

    def _claims(self, token: str, key: jwt.PyJWK) -> Mapping[str, Any]:
        options: Any = {"require": list(_REQUIRED), "verify_exp": False, "verify_iat": False, "verify_nbf": False}
        try:
            return jwt.decode(
                token, key.key, [_ALGORITHM], options, issuer=list(_ISSUERS), audience=list(self._audiences)
            )
        except (jwt.InvalidTokenError, ValueError, TypeError):
            raise invalid_google_token() from None


def invalid_google_token() -> ApiError:
    """401: the token is not Google's, not for us, not valid now, or its address is not verified."""
    return ApiError(401, "invalid_credentials", "Google's ID token is not valid here. Sign in with Google again.")


def _is_valid(claims: Mapping[str, Any], now: int) -> bool:
    """The claims that PyJWT would compare with this machine's clock, and those that only Google has."""
    begins, ends = claims["iat"], claims["exp"]
    if not isinstance(begins, int) or not isinstance(ends, int) or not isinstance(claims["aud"], str):
        return False
    is_current = begins - _SKEW_SECONDS <= now < ends + _SKEW_SECONDS
    return is_current and claims.get("email_verified") is True and isinstance(claims["email"], str)


def _keys_of(answer: Answer) -> Mapping[str, jwt.PyJWK]:
    """The keys of a JWK Set (RFC 7517). Raises ValueError, PyJWTError."""
    if answer.status != 200 or answer.truncated:
        raise ValueError("no JWK Set")
    content: Any = json.loads(answer.body)
    if not isinstance(content, dict):
        raise ValueError("no JWK Set")
    found = jwt.PyJWKSet.from_dict(cast("dict[str, Any]", content)).keys
    return {key.key_id: key for key in found if key.key_id and key.algorithm_name == _ALGORITHM}


def _fresh_seconds(headers: Mapping[str, str]) -> int:
    """How long an answer may be used (RFC 9111): `max-age`, less the `Age` that it has already."""
    found = _MAX_AGE.search(headers.get("Cache-Control", ""))
    age = headers.get("Age", "0")
    return max(0, int(found[1]) - int(age if age.isdecimal() else 0)) if found else 0
