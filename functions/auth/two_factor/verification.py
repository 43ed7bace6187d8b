"""The second step of a sign-in: a code of the app, or a backup code."""

from callmissed.audit.events import Actor, AuditEvent, audit_operation
from callmissed.aws.database import Database
from callmissed.aws.dynamodb import TransactionCanceled
from callmissed.aws.operations import WriteOperation
from callmissed.clock import Micros
from callmissed.errors import ApiError, invalid_request
from callmissed.platform.tables import TENANTS
from callmissed.rate_limits import Limit, SlidingWindows
from callmissed.tenants.tenants import tenant_key, tenant_of
from callmissed.tenants.users import User, user_key, user_of
from functions.auth.challenges.challenges import Challenge, ChallengePurpose, Challenges, invalid_challenge
from functions.auth.sign_in.completion import SignedIn, SignInCompletion, check_may_sign_in
from functions.auth.two_factor.codes import FactorCodes
from functions.auth.two_factor.records import Factor, factor_key, factor_of, put_factor
from functions.auth.two_factor.service import GUESSES, factor_changed

_RECORDED = Limit("second_factor/refused", 10, 3600)
_TRIES = 5


class SecondStep:
    """Completes sign-ins that wait for a second factor. Every method raises Unavailable."""

    def __init__(
        self, database: Database, challenges: Challenges, completion: SignInCompletion, windows: SlidingWindows
    ) -> None:
        self._database = database
        self._windows = windows
        self._challenges = challenges
        self._completion = completion

    async def begin(self, token: str, now: Micros) -> Challenge:
        """The challenge of a sign-in, with one try more. Raises ApiError 401, 429."""
        return await self._challenges.attempt(ChallengePurpose.SIGN_IN, token, now)

    async def read(self, challenge: Challenge) -> tuple[User, Factor]:
        """The person of the challenge, and the second factor. One read.

        Raises ApiError 401 for a challenge that is not for the person any more, 403 as sign-ins do.
        """
        tenant, user_id = challenge.tenant, challenge.user_id
        user_item, tenant_item, factor = await self._database.get_across(
            (TENANTS, user_key(tenant, user_id)), (TENANTS, tenant_key(tenant)), (TENANTS, factor_key(tenant, user_id))
        )
        if not user_item or not tenant_item or not challenge.is_for(user_of(user_item)):
            raise invalid_challenge()
        user = user_of(user_item)
        check_may_sign_in(user, tenant_of(tenant_item))
        return user, factor_of(tenant, user_id, factor)

    async def complete(
        self, challenge: Challenge, user: User, used: WriteOperation, client: Actor, method: str, now: Micros
    ) -> SignedIn | None:
        """Use the challenge, write the factor as it was `used`, and sign in; None if the factor changed meanwhile.

        Raises ApiError 401 if the challenge was used meanwhile.
        """
        operations = [challenge.use, used]
        try:
            return await self._completion.begin(user, method, client, now, operations=operations)
        except TransactionCanceled as canceled:
            if canceled.reasons[0] == "ConditionalCheckFailed":
                raise invalid_challenge() from None
            return None

    async def refuse(self, challenge: Challenge, client: Actor, method: str, now: Micros) -> ApiError:
        """400 for a wrong answer. The first ones of an hour leave an audit row."""
        if not await self._windows.wait(_RECORDED, challenge.user_id, now):
            metadata = {"method": method, "reason": "wrong second factor"}
            event = AuditEvent(challenge.tenant, "session.refuse", "user", challenge.user_id, client, metadata)
            await self._database.write_if(audit_operation(event, now))
        left = challenge.tries_left
        tries = "1 try is left" if left == 1 else f"{left} tries are left"
        return invalid_request(f"The second factor is wrong or was used already: {tries}.", code="invalid_code")


class CodeVerification:
    """Completes sign-ins by codes. Every method raises Unavailable."""

    def __init__(self, step: SecondStep, codes: FactorCodes, windows: SlidingWindows) -> None:
        self._step = step
        self._codes = codes
        self._windows = windows

    async def verify(self, token: str, code: str, client: Actor, now: Micros) -> SignedIn:
        """Sign in with a code. Raises ApiError 400, which says how many tries are left, 401, 403, 409, 429."""
        challenge = await self._step.begin(token, now)
        await self._windows.count(GUESSES, challenge.user_id, now)
        for _ in range(_TRIES):
            user, factor = await self._step.read(challenge)
            used = self._codes.after_any(factor, code, now) if factor.is_enabled else None
            if used is None:
                raise await self._step.refuse(challenge, client, "code", now)
            after, kind = used
            if signed_in := await self._step.complete(challenge, user, put_factor(after), client, kind, now):
                return signed_in
        raise factor_changed()
