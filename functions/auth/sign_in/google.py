"""Sign-in with Google: to the account of the address that Google has verified, or to a new one."""

from contextlib import suppress
from dataclasses import replace

from callmissed.audit.events import Actor, AuditEvent, audit_operation
from callmissed.aws.dynamodb import TransactionCanceled
from callmissed.clock import Micros, iso
from callmissed.errors import ApiError
from callmissed.tenants.tenants import checked_name
from callmissed.tenants.users import Registration
from functions.auth.sign_in.accounts import Accounts, FoundAccount, account_changed
from functions.auth.sign_in.attempts import SignInAttempts
from functions.auth.sign_in.captcha import Captcha
from functions.auth.sign_in.completion import Outcome, SignInCompletion, SignInMethod
from functions.auth.sign_in.google_tokens import GoogleIdentity, GoogleTokens
from functions.auth.sign_in.registration import Registrations
from functions.auth.sign_in.schemas import GoogleForm
from functions.auth.sign_in.second_factor import SecondFactors
from functions.auth.sign_in.service import take_over

_MAX_NAME = 255
_TRIES = 3


class GoogleSignIn:
    """Signs people in with Google. Raises Unavailable when DynamoDB does not answer.

    Tokens for `native` OAuth clients, which are apps, need no captcha.
    """

    def __init__(
        self,
        tokens: GoogleTokens,
        accounts: Accounts,
        attempts: SignInAttempts,
        completion: SignInCompletion,
        registrations: Registrations,
        second_factors: SecondFactors,
        captcha: Captcha,
        native: frozenset[str],
    ) -> None:
        self._tokens = tokens
        self._accounts = accounts
        self._attempts = attempts
        self._completion = completion
        self._registrations = registrations
        self._second_factors = second_factors
        self._captcha = captcha
        self._native = native

    async def sign_in(self, form: GoogleForm, client: Actor, now: Micros) -> Outcome:
        """Sign in by an ID token. Raises ApiError 401, 403, 409, 422, and 503 where Google is not configured."""
        found = await self._tokens.verify(form.id_token, now)
        if found.audience not in self._native:
            await self._captcha.check(form.cf_turnstile_token, client.ip_address)
        for _ in range(_TRIES):
            with suppress(TransactionCanceled):  # the account came to be, or changed, at the same time
                return await self._enter(found, client, now, accepts_terms=form.accept_terms)
        raise account_changed()

    async def _enter(self, found: GoogleIdentity, client: Actor, now: Micros, *, accepts_terms: bool) -> Outcome:
        account = await self._accounts.find(found.email, now)
        if account.user:
            return await self._audited(account, client, now)
        self._registrations.check_terms(accepted=accepts_terms)
        return await self._accounts.create(
            found.email, _registration(found, now), client, now, method=SignInMethod.GOOGLE, replaces=True
        )

    async def _audited(self, account: FoundAccount, client: Actor, now: Micros) -> Outcome:
        """As `_sign_in`; a refusal counts as an attempt for the address, and leaves an audit row."""
        try:
            return await self._sign_in(account, client, now)
        except ApiError as refused:
            attempt = await self._attempts.begin(account.identity, SignInMethod.GOOGLE, client, now)
            await self._attempts.refuse(attempt, account.user, refused.code)
            raise

    async def _sign_in(self, account: FoundAccount, client: Actor, now: Micros) -> Outcome:
        """Sign in to an account that exists. One whose address nobody has confirmed loses its password and sessions."""
        user, tenant = account.user, account.tenant
        if user is None or tenant is None:
            raise ApiError(401, "invalid_credentials", "There is no such account.")
        if user.confirmed:
            return await self._completion.complete(user, tenant, SignInMethod.GOOGLE, client, now)
        event = AuditEvent(user.tenant, "google.link", "user", user.user_id, replace(client, actor_id=user.user_id))
        proven, taken_over = await take_over(user, self._second_factors, now, password="")
        operations = [*taken_over, audit_operation(event, now)]
        return await self._completion.complete(proven, tenant, SignInMethod.GOOGLE, client, now, operations=operations)


def _registration(found: GoogleIdentity, now: Micros) -> Registration:
    printable = "".join(letter for letter in found.name if letter.isprintable()).strip()
    name = checked_name((printable or found.email.partition("@")[0])[:_MAX_NAME])
    return Registration(full_name=name, tenant_name=name, password="", registered_at=iso(now))
