"""Our side of WebAuthn's ceremonies. Id and origin come from the stage's settings, never from a request's headers.

User verification (a PIN, a finger, a face) is required in both ceremonies.
https://www.w3.org/TR/webauthn-3/#sctn-rp-operations
"""

import json
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

from callmissed.errors import ApiError
from callmissed.settings import CoreSettings
from callmissed.tenants.users import User
from functions.auth.challenges.challenges import LIFETIME
from functions.auth.two_factor.records import Passkey

if TYPE_CHECKING:
    from webauthn.helpers.structs import PublicKeyCredentialDescriptor

_NAME = "CallMissed"
_TIMEOUT_MILLISECONDS = LIFETIME // 1000
_MAX_PUBLIC_KEY = 4096
"""Bytes. A key that nobody attests may have any length; one of RSA with 16,384 bits has half of it."""

# webauthn is imported where it is needed, because most sign-ins need none of it.


class InvalidCredentialError(Exception):
    """An authenticator's answer does not prove what it should."""


@dataclass(frozen=True, slots=True)
class NewCredential:
    """A credential that an authenticator has made."""

    credential_id: bytes
    public_key: bytes
    sign_count: int
    transports: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RelyingParty:
    """We, as authenticators know us: `rp_id` is a domain, `origin` the console's."""

    rp_id: str
    origin: str

    @classmethod
    def of(cls, settings: CoreSettings) -> Self:
        """The relying party of a stage; without an id where the stage has no console."""
        console = urlsplit(settings.console_url)
        return cls(settings.passkey_rp_id or console.hostname or "", f"{console.scheme}://{console.netloc}")

    @property
    def is_configured(self) -> bool:
        """Whether the stage can have passkeys."""
        return bool(self.rp_id)

    def require(self) -> None:
        """Raise ApiError 503 where the stage has no console, and so no passkeys."""
        if not self.is_configured:
            raise ApiError(503, "not_configured", "Passkeys are not configured here.")

    def creation_options(self, user: User, known: Sequence[Passkey], nonce: bytes) -> dict[str, Any]:
        """PublicKeyCredentialCreationOptions for one more passkey."""
        import webauthn
        from webauthn.helpers import options_to_json_dict
        from webauthn.helpers.structs import (
            AuthenticatorSelectionCriteria,
            ResidentKeyRequirement,
            UserVerificationRequirement,
        )

        selection = AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.PREFERRED, user_verification=UserVerificationRequirement.REQUIRED
        )
        options = webauthn.generate_registration_options(
            rp_id=self.rp_id,
            rp_name=_NAME,
            user_id=user.user_id.encode(),
            user_name=user.email,
            user_display_name=user.full_name,
            challenge=nonce,
            timeout=_TIMEOUT_MILLISECONDS,
            authenticator_selection=selection,
            exclude_credentials=_descriptors(known),
        )
        return options_to_json_dict(options)

    def request_options(self, known: Sequence[Passkey], nonce: bytes) -> dict[str, Any]:
        """PublicKeyCredentialRequestOptions for one of the passkeys."""
        import webauthn
        from webauthn.helpers import options_to_json_dict
        from webauthn.helpers.structs import UserVerificationRequirement

        options = webauthn.generate_authentication_options(
            rp_id=self.rp_id,
            challenge=nonce,
            timeout=_TIMEOUT_MILLISECONDS,
            allow_credentials=_descriptors(known),
            user_verification=UserVerificationRequirement.REQUIRED,
        )
        return options_to_json_dict(options)

    def check_creation(self, credential: Mapping[str, Any], nonce: bytes) -> NewCredential:
        """The credential that answers creation options with that nonce. Raises InvalidCredentialError."""
        import webauthn
        from webauthn.helpers import parse_registration_credential_json

        with _reading_an_answer():
            parsed = parse_registration_credential_json(dict(credential))
            _refuse_frames(parsed.response.client_data_json)
            verified = webauthn.verify_registration_response(
                credential=parsed,
                expected_challenge=nonce,
                expected_rp_id=self.rp_id,
                expected_origin=self.origin,
                require_user_verification=True,
            )
            if len(verified.credential_public_key) > _MAX_PUBLIC_KEY:
                raise InvalidCredentialError
            transports = tuple(dict.fromkeys(each.value for each in parsed.response.transports or ()))
            return NewCredential(
                verified.credential_id, verified.credential_public_key, verified.sign_count, transports
            )

    def check_request(self, credential: Mapping[str, Any], nonce: bytes, user_id: str, passkey: Passkey) -> int:
        """The passkey's new sign count, if `credential` answers request options with that nonce.

        Raises InvalidCredentialError, also for a sign count that has not grown: the passkey may have been copied.
        """
        import webauthn
        from webauthn.helpers import parse_authentication_credential_json

        with _reading_an_answer():
            parsed = parse_authentication_credential_json(dict(credential))
            if parsed.response.user_handle not in (None, b"", user_id.encode()):
                raise InvalidCredentialError
            _refuse_frames(parsed.response.client_data_json)
            verified = webauthn.verify_authentication_response(
                credential=parsed,
                expected_challenge=nonce,
                expected_rp_id=self.rp_id,
                expected_origin=self.origin,
                credential_public_key=bytes.fromhex(passkey.public_key),
                credential_current_sign_count=passkey.sign_count,
                require_user_verification=True,
            )
            return verified.new_sign_count


@contextmanager
def _reading_an_answer() -> Generator[None]:
    """Turns what webauthn raises for an answer into InvalidCredentialError."""
    try:
        yield
    except Exception as error:  # anyone may have written what webauthn parses, which raises more than its own errors
        raise InvalidCredentialError from error


def _refuse_frames(client_data: bytes) -> None:
    """Refuse what a page of another origin asked for with ours in a frame, which webauthn does not check.

    https://www.w3.org/TR/webauthn-3/#dom-collectedclientdata-crossorigin
    """
    if json.loads(client_data).get("crossOrigin"):
        raise InvalidCredentialError


def credential_id_of(credential: Mapping[str, Any]) -> bytes:
    """The id of the credential that an authenticator answers with. Raises InvalidCredentialError."""
    from webauthn.helpers import parse_authentication_credential_json

    with _reading_an_answer():
        return parse_authentication_credential_json(dict(credential)).raw_id


def _descriptors(passkeys: Iterable[Passkey]) -> "list[PublicKeyCredentialDescriptor]":
    from webauthn.helpers.structs import AuthenticatorTransport, PublicKeyCredentialDescriptor

    return [
        PublicKeyCredentialDescriptor(
            id=bytes.fromhex(passkey.credential_id),
            transports=[AuthenticatorTransport(each) for each in passkey.transports] or None,
        )
        for passkey in passkeys
    ]
