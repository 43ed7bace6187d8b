"""Sign-in by password, and by the codes of mails.

The work is the same whether an address has an account, has no password, is unconfirmed or deactivated: the same
requests to DynamoDB, the same hashes, and one message to the queue of mails.
"""

from dataclasses import replace

from callmissed.audit.events import Actor, AuditEvent, audit_operation
from callmissed.aws.database import Database
from callmissed.aws.dynamodb import TransactionCanceled
from callmissed.aws.operations import WriteOperation
from callmissed.clock import Micros
from callmissed.errors import ApiError
from callmissed.tenants.identity import identity
from callmissed.tenants.users import User, update_user
from functions.auth.challenges.codes import AcceptedCode, CodePurpose, Codes, wrong_code
from functions.auth.mail.jobs import MailJob, nothing
from functions.auth.mail.outlet import MailOutlet
from functions.auth.mail.quota import MailQuota
from functions.auth.sign_in.accounts import Accounts, FoundAccount, account_changed
from functions.auth.sign_in.attempts import SignInAttempt, SignInAttempts
from functions.auth.sign_in.completion import Outcome, SignInCompletion, SignInMethod
from functions.auth.sign_in.passwords import hash_password, is_outdated, matches
from functions.auth.sign_in.registration import Registrations
from functions.auth.sign_in.second_factor import SecondFactors

_CHANGED = "ConditionalCheckFailed"


class SignIn:
    """Signs people in. Every method raises Unavailable when DynamoDB does not answer.

    Every one but `send_code` raises ApiError 403 for who may not sign in, 429 for an address with too many attempts.
    """

    def __init__(
        self,
        database: Database,
        accounts: Accounts,
        attempts: SignInAttempts,
        completion: SignInCompletion,
        registrations: Registrations,
        second_factors: SecondFactors,
        codes: Codes,
        mails: MailOutlet,
        quota: MailQuota,
    ) -> None:
        self._database = database
        self._accounts = accounts
        self._attempts = attempts
        self._completion = completion
        self._registrations = registrations
        self._second_factors = second_factors
        self._codes = codes
        self._mails = mails
        self._quota = quota

    async def login(self, email: str, password: str, client: Actor, now: Micros) -> Outcome:
        """Sign in by password. Raises ApiError 401, and 403 after the right password."""
        attempt = await self._attempts.begin(identity(email), SignInMethod.PASSWORD, client, now)
        account = await self._accounts.find(attempt.identity, now)
        if not matches(account.password, password):
            await self._attempts.refuse(attempt, account.user, "wrong password")
            raise ApiError(401, "invalid_credentials", "Wrong e-mail address or password.")
        if account.user is None or account.tenant is None:
            raise ApiError(403, "email_not_verified", "Confirm your e-mail address with the code that was sent to it.")
        outcome = await self._complete(account, attempt)
        if is_outdated(account.user.password):
            # Nothing is lost when somebody has changed the person meanwhile: the next sign-in tries it again.
            await self._database.write_if(update_user(outcome.user, now, password=hash_password(password)))
        return outcome

    async def send_code(self, email: str, purpose: CodePurpose, now: Micros) -> None:
        """Mail a code, if the address is of somebody who can use it. Raises ApiError 400, QueueUnavailable.

        An address that has had its mails of this hour gets none, and its latest code stays valid.
        """
        account = await self._accounts.find(identity(email), now)
        if not await self._quota.count(purpose, account.identity, now):
            return
        if purpose is CodePurpose.REGISTER:
            await self._registrations.send_code(account, now)
            return
        code = await self._codes.issue(purpose, account.identity, now)
        mail = nothing(account.identity)
        if account.user:
            mail = MailJob(str(purpose), account.identity, {"code": code, "full_name": account.user.full_name})
        await self._mails.send(mail)

    async def confirm(self, email: str, code: str, client: Actor, now: Micros) -> Outcome:
        """Create the account that was registered, and sign in. Raises ApiError 400."""
        account = await self._accounts.find(identity(email), now)
        return await self._registrations.confirm(account, code, client, now)

    async def login_by_code(self, email: str, code: str, client: Actor, now: Micros) -> Outcome:
        """Sign in by the code of a mail, which confirms the address. Raises ApiError 400, 409.

        An account whose address nobody had confirmed loses its password, its sessions and its second factors.
        """
        attempt = await self._attempts.begin(identity(email), SignInMethod.CODE, client, now)
        account = await self._accounts.find(attempt.identity, now)
        accepted = await self._accept(CodePurpose.LOGIN, account, code, attempt)
        user = _known(account)
        if user.confirmed:
            return await self._complete(account, attempt, accepted.use)
        event = AuditEvent(user.tenant, "address.confirm", "user", user.user_id, replace(client, actor_id=user.user_id))
        proven, taken_over = await take_over(user, self._second_factors, now, password="")
        confirmed = replace(account, user=proven)
        return await self._complete(confirmed, attempt, accepted.use, *taken_over, audit_operation(event, now))

    async def reset_password(self, email: str, code: str, password: str, client: Actor, now: Micros) -> Outcome:
        """Set a new password, end all sessions, and sign in. Confirms the address. Raises ApiError 400, 409."""
        attempt = await self._attempts.begin(identity(email), SignInMethod.RESET, client, now)
        account = await self._accounts.find(attempt.identity, now)
        accepted = await self._accept(CodePurpose.RESET, account, code, attempt)
        user, hashed = _known(account), hash_password(password)
        event = AuditEvent(user.tenant, "password.reset", "user", user.user_id, replace(client, actor_id=user.user_id))
        proven, taken_over = await take_over(user, self._second_factors, now, password=hashed)
        renewed = replace(account, user=proven)
        outcome = await self._complete(renewed, attempt, accepted.use, *taken_over, audit_operation(event, now))
        await self._mails.report([MailJob("password_changed", user.email, {"full_name": user.full_name})])
        return outcome

    async def _accept(
        self, purpose: CodePurpose, account: FoundAccount, code: str, attempt: SignInAttempt
    ) -> AcceptedCode:
        try:
            return await self._codes.accept(purpose, account.identity, code, attempt.now)
        except ApiError:
            await self._attempts.refuse(attempt, account.user, "wrong code")
            raise

    async def _complete(self, account: FoundAccount, attempt: SignInAttempt, *operations: WriteOperation) -> Outcome:
        """Complete an attempt whose proof is right; the first of the operations uses its code."""
        user, tenant = account.user, account.tenant
        if user is None or tenant is None:
            raise wrong_code()
        try:
            return await self._completion.complete(
                user, tenant, attempt.method, attempt.client, attempt.now, operations=operations
            )
        except ApiError as refused:
            if refused.status == 403:
                await self._attempts.refuse(attempt, user, refused.code)
            raise
        except TransactionCanceled as cancelled:
            if cancelled.reasons[0] == _CHANGED:
                raise wrong_code() from None
            raise account_changed() from None


async def take_over(
    user: User, second_factors: SecondFactors, now: Micros, *, password: str
) -> tuple[User, list[WriteOperation]]:
    """The person with another password or none and no session, and the operations that make it so.

    An address that nobody has confirmed may be another person's: what was set up before goes too.
    """
    changes = {"password": password, "generation": user.generation + 1, "confirmed": True}
    after = replace(user, revision=user.revision + 1, **changes)
    if user.confirmed:
        return after, [update_user(user, now, **changes)]
    removed = await second_factors.removal(user)
    return replace(after, second_factor=False), [update_user(user, now, **changes, second_factor=False), *removed]


def _known(account: FoundAccount) -> User:
    if account.user is None:
        raise wrong_code()
    return account.user
