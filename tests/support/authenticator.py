"""A passkey authenticator and its browser in software: it answers WebAuthn's options as JSON.

https://www.w3.org/TR/webauthn-3/#sctn-authenticator-data
"""

import hashlib
import json
import secrets
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from webauthn.helpers import base64url_to_bytes, bytes_to_base64url, encode_cbor

_PRESENT, _VERIFIED, _ATTESTED = 0x01, 0x04, 0x40


@dataclass
class _Key:
    private: EllipticCurvePrivateKey
    user_handle: str
    sign_count: int = 0


@dataclass
class SoftwareAuthenticator:
    """Makes passkeys and signs with them. It does what a test says, also what no honest one does.

    `origin` is the page's, as the browser reports it, and `framed_by` the one of a page that shows it in a frame;
    `rp_id` replaces that of the options; `verifies` says that the person has entered a PIN; `public_key` is
    one that it shows instead of its own.
    """

    origin: str
    rp_id: str | None = None
    verifies: bool = True
    framed_by: str | None = None
    transports: tuple[str, ...] = ("internal", "hybrid")
    public_key: Mapping[int, Any] | None = None
    keys: dict[str, _Key] = field(default_factory=dict[str, _Key])

    def create(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """RegistrationResponseJSON for PublicKeyCredentialCreationOptionsJSON."""
        credential_id = secrets.token_bytes(32)
        key = _Key(generate_private_key(SECP256R1()), options["user"]["id"])
        self.keys[bytes_to_base64url(credential_id)] = key
        numbers = key.private.public_key().public_numbers()
        cose = {1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32, "big"), -3: numbers.y.to_bytes(32, "big")}
        shown = encode_cbor(self.public_key or cose)
        attested = bytes(16) + struct.pack(">H", len(credential_id)) + credential_id + shown
        authenticator_data = self._data(options["rp"]["id"], _ATTESTED, key) + attested
        attestation = encode_cbor({"fmt": "none", "attStmt": {}, "authData": authenticator_data})
        response = {
            "clientDataJSON": bytes_to_base64url(self._client_data("webauthn.create", options)),
            "attestationObject": bytes_to_base64url(attestation),
            "transports": list(self.transports),
        }
        return _credential(credential_id, response)

    def get(self, options: Mapping[str, Any], credential: str | None = None) -> dict[str, Any]:
        """AuthenticationResponseJSON for PublicKeyCredentialRequestOptionsJSON, by `credential` or an allowed one."""
        allowed = [each["id"] for each in options["allowCredentials"] if each["id"] in self.keys]
        name = credential or allowed[0]
        key = self.keys[name]
        key.sign_count += 1
        client_data = self._client_data("webauthn.get", options)
        authenticator_data = self._data(options["rpId"], 0, key)
        signed = authenticator_data + hashlib.sha256(client_data).digest()
        response = {
            "clientDataJSON": bytes_to_base64url(client_data),
            "authenticatorData": bytes_to_base64url(authenticator_data),
            "signature": bytes_to_base64url(key.private.sign(signed, ECDSA(SHA256()))),
            "userHandle": key.user_handle,
        }
        return _credential(base64url_to_bytes(name), response)

    def _data(self, rp_id: str, flags: int, key: _Key) -> bytes:
        of_whom = hashlib.sha256((self.rp_id or rp_id).encode()).digest()
        flags |= _PRESENT | (_VERIFIED if self.verifies else 0)
        return of_whom + bytes([flags]) + struct.pack(">I", key.sign_count)

    def _client_data(self, kind: str, options: Mapping[str, Any]) -> bytes:
        framed = {"crossOrigin": True, "topOrigin": self.framed_by} if self.framed_by else {"crossOrigin": False}
        return json.dumps({"type": kind, "challenge": options["challenge"], "origin": self.origin, **framed}).encode()


def _credential(credential_id: bytes, response: Mapping[str, Any]) -> dict[str, Any]:
    name = bytes_to_base64url(credential_id)
    return {"id": name, "rawId": name, "type": "public-key", "response": dict(response)}
