"""The second factor, as a sign-in sees it: who has one gets a challenge instead of tokens."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from callmissed.audit.events import Actor
from callmissed.aws.operations import WriteOperation
from callmissed.clock import Micros
from callmissed.tenants.users import User

FactorMethod = Literal["totp", "passkey"]


@dataclass(frozen=True, slots=True)
class SecondFactorChallenge:
    """What a person must answer. `passkey_options` are WebAuthn's request options, where a passkey may answer."""

    challenge_token: str
    methods: tuple[FactorMethod, ...]
    passkey_options: Mapping[str, object] | None = None


class SecondFactors(Protocol):
    """The second factors of people."""

    async def challenge(self, user: User, client: Actor, now: Micros) -> SecondFactorChallenge:
        """A new challenge for a person with a second factor. Raises Unavailable."""
        ...

    async def removal(self, user: User) -> Sequence[WriteOperation]:
        """What removes all second factors of a person, but for the person's own item. Raises Unavailable."""
        ...
