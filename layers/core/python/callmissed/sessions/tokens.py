"""Access tokens: JWTs (RFC 9068) signed with Ed25519 (RFC 8037), valid for 24 hours.

A token names its person, session and tenant, and nothing that may change: role and status are read on each call. The
private keys are derived (HKDF, RFC 5869) from the ring of peppers, so they rotate with it, two alive; a key's id is its
RFC 7638 thumbprint. A forged token would need the random id of a living session too.
PyJWT and cryptography are imported here only, because the authorizer needs them for a person's first call.
"""

import base64
import hashlib
import json
from dataclasses import dataclass
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from callmissed.clock import SECOND, Micros
from callmissed.errors import ApiError

LIFETIME_SECONDS = 24 * 3600

_ALGORITHM = "EdDSA"
_TYPE = "at+jwt"
_REQUIRED = ("iss", "aud", "sub", "sid", "tid", "iat", "exp")


@dataclass(frozen=True, slots=True)
class AccessClaims:
    """What a token says: user, session and tenant."""

    user_id: str
    session_id: str
    tenant: str


@dataclass(frozen=True, slots=True)
class _Key:
    key_id: str
    private: Ed25519PrivateKey
    public: dict[str, str]


class AccessTokens:
    """Issues and verifies the access tokens of one stage, with keys of the `ring` of peppers, the current one first."""

    def __init__(self, ring: tuple[bytes, ...], stage: str) -> None:
        self._keys = {key.key_id: key for key in map(_key, ring)}
        self._current = next(iter(self._keys.values()))
        self._issuer = f"urn:callmissed:{stage}"

    def issue(self, claims: AccessClaims, issued_at: Micros, key_id: str | None = None) -> str:
        """A token from `issued_at` on: the same input gives the same bytes. `key_id` is the current key's by default.

        Raises KeyError for a key that is no longer in the ring.
        """
        key = self._keys[key_id] if key_id else self._current
        seconds = issued_at // SECOND
        payload = {
            "iss": self._issuer,
            "aud": self._issuer,
            "sub": claims.user_id,
            "sid": claims.session_id,
            "tid": claims.tenant,
            "iat": seconds,
            "exp": seconds + LIFETIME_SECONDS,
        }
        return jwt.encode(payload, key.private, _ALGORITHM, headers={"kid": key.key_id, "typ": _TYPE})

    def verify(self, token: str, now: Micros) -> AccessClaims:
        """The claims of a valid token. Raises ApiError 401: `token_expired`, or `invalid_token` for anything else."""
        try:
            header = jwt.get_unverified_header(token)
            if header.get("typ") != _TYPE:
                raise invalid_token()
            public = self._keys[header["kid"]].private.public_key()
            options: Any = {"require": list(_REQUIRED), "verify_exp": False, "verify_iat": False}
            found = jwt.decode(token, public, [_ALGORITHM], options, issuer=self._issuer, audience=self._issuer)
        except (jwt.InvalidTokenError, KeyError, ValueError, TypeError):
            raise invalid_token() from None
        if found["exp"] * SECOND <= now:
            raise token_expired()
        return AccessClaims(found["sub"], found["sid"], found["tid"])

    @property
    def current_key_id(self) -> str:
        """Id of the key that signs new tokens."""
        return self._current.key_id

    def key_set(self) -> dict[str, Any]:
        """The public keys as a JWK Set (RFC 7517)."""
        return {"keys": [key.public for key in self._keys.values()]}


def invalid_token() -> ApiError:
    """401: the token is none of ours, or its session is over."""
    return ApiError(401, "invalid_token", "The access token is invalid. Sign in again.")


def token_expired() -> ApiError:
    """401: the token was valid once."""
    return ApiError(401, "token_expired", "The access token has expired. Refresh it.")


def _key(pepper: bytes) -> _Key:
    seed = HKDF(SHA256(), 32, salt=None, info=b"callmissed access tokens").derive(pepper)
    private = Ed25519PrivateKey.from_private_bytes(seed)
    raw = private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    # RFC 7638: SHA-256 of the required members, ordered by name, without spaces.
    members = {"crv": "Ed25519", "kty": "OKP", "x": _base64url(raw)}
    key_id = _base64url(hashlib.sha256(json.dumps(members, separators=(",", ":")).encode()).digest())
    return _Key(key_id, private, {**members, "use": "sig", "alg": _ALGORITHM, "kid": key_id})


def _base64url(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
