"""The challenge of a sign-in for a person who has a second factor: codes of an app, passkeys, or both."""

from collections.abc import Sequence

from callmissed.audit.events import Actor
from callmissed.aws.database import Database
from callmissed.aws.operations import WriteOperation
from callmissed.clock import Micros
from callmissed.tenants.users import User
from functions.auth.challenges.challenges import ChallengePurpose, Challenges
from functions.auth.passkeys.relying_party import RelyingParty
from functions.auth.sign_in.second_factor import FactorMethod, SecondFactorChallenge
from functions.auth.two_factor.records import Passkey, get_factor, list_passkeys, remove_factor


class SignInChallenges:
    """The second factors of people, as a sign-in sees them. Raises Unavailable when DynamoDB does not answer."""

    def __init__(self, database: Database, challenges: Challenges, relying_party: RelyingParty) -> None:
        self._database = database
        self._challenges = challenges
        self._relying_party = relying_party

    async def challenge(self, user: User, client: Actor, now: Micros) -> SecondFactorChallenge:
        """A new challenge for the person. One read, one more for a person with passkeys, and one write."""
        _, factor = await get_factor(self._database, user.tenant, user.user_id)
        passkeys = await self._passkeys(user) if factor.passkeys else []
        issued = await self._challenges.issue(ChallengePurpose.SIGN_IN, user, now)
        methods: tuple[FactorMethod, ...] = ("totp",) if factor.is_enabled else ()
        if not passkeys:
            return SecondFactorChallenge(issued.token, methods)
        options = self._relying_party.request_options(passkeys, issued.nonce)
        return SecondFactorChallenge(issued.token, (*methods, "passkey"), options)

    async def removal(self, user: User) -> Sequence[WriteOperation]:
        """What removes all second factors of the person, but for the person's own item."""
        return await remove_factor(self._database, user)

    async def _passkeys(self, user: User) -> list[Passkey]:
        if not self._relying_party.is_configured:
            return []
        return await list_passkeys(self._database, user.tenant, user.user_id)
