"""API models of passkeys; docs/api/openapi.json is made from them."""

from typing import Annotated, Any, Self

from pydantic import BaseModel, Field

from callmissed.web.schemas import RequestModel
from functions.auth.sign_in.schemas import RequestForm
from functions.auth.two_factor.records import Passkey
from functions.auth.two_factor.schemas import ChallengeToken

PasskeyName = Annotated[str, Field(min_length=1, max_length=120)]


class PasskeyOut(BaseModel):
    """A passkey. `transports` are separated by commas."""

    id: str
    name: str
    transports: str
    created_at: str
    last_used_at: str | None

    @classmethod
    def of(cls, passkey: Passkey) -> Self:
        """The passkey."""
        return cls(
            id=passkey.passkey_id,
            name=passkey.name,
            transports=",".join(passkey.transports),
            created_at=passkey.created_at,
            last_used_at=passkey.last_used_at or None,
        )


class PasskeyOptions(BaseModel):
    """WebAuthn's PublicKeyCredentialCreationOptions as JSON, and the token that the answer needs."""

    options: dict[str, Any]
    registration_token: str


class PasskeyRegistration(RequestModel):
    """The authenticator's RegistrationResponseJSON, and a name for the passkey."""

    credential: dict[str, Any]
    name: PasskeyName = "Passkey"


class PasskeyRenaming(RequestModel):
    """Another name of a passkey."""

    name: PasskeyName


class PasskeyAnswer(RequestForm):
    """The challenge of a sign-in, and the authenticator's AuthenticationResponseJSON."""

    challenge_token: ChallengeToken
    credential: dict[str, Any]
