"""The way back without second factor: a code by mail and the password remove all second factors.

Answers and work are the same whatever the address, the password or the code is, so neither says anything about an
account. Who does not know the password counts and guesses on items of a decoy, and can use up nothing of a person's.
"""

from dataclasses import replace

from callmissed.audit.events import Actor, AuditEvent, audit_operation
from callmissed.aws.database import Database
from callmissed.aws.dynamodb import TransactionCanceled
from callmissed.clock import Micros
from callmissed.tenants.identity import identity
from callmissed.tenants.users import User, update_user
from functions.auth.challenges.codes import CodePurpose, Codes, wrong_code
from functions.auth.mail.jobs import MailJob, nothing
from functions.auth.mail.outlet import MailOutlet
from functions.auth.mail.quota import MailQuota
from functions.auth.sign_in.accounts import Accounts
from functions.auth.sign_in.passwords import matches
from functions.auth.sign_in.second_factor import SecondFactors


class FactorRecovery:
    """Removes second factors. Every method raises Unavailable."""

    def __init__(
        self,
        database: Database,
        accounts: Accounts,
        codes: Codes,
        second_factors: SecondFactors,
        mails: MailOutlet,
        quota: MailQuota,
    ) -> None:
        self._database = database
        self._accounts = accounts
        self._codes = codes
        self._second_factors = second_factors
        self._mails = mails
        self._quota = quota

    async def request(self, email: str, password: str, now: Micros) -> None:
        """Mail a code to a person with a second factor, if the password is right. Raises ApiError 400.

        An address that has had its mails of this hour gets none, and its latest code stays valid.
        """
        address = identity(email)
        user = await self._find(address, password, now)
        subject = _subject(address, user)
        if not await self._quota.count(CodePurpose.RECOVERY, subject, now):
            return
        code = await self._codes.issue(CodePurpose.RECOVERY, subject, now)
        mail = nothing(address)
        if user:
            mail = MailJob("recovery", address, {"code": code, "full_name": user.full_name})
        await self._mails.send(mail)

    async def confirm(self, email: str, code: str, password: str, client: Actor, now: Micros) -> None:
        """Remove the person's second factors and end all sessions. Raises one ApiError 400 for all that is wrong."""
        address = identity(email)
        user = await self._find(address, password, now)
        accepted = await self._codes.accept(CodePurpose.RECOVERY, _subject(address, user), code, now)
        if user is None:
            raise wrong_code()
        event = AuditEvent(user.tenant, "2fa.recover", "user", user.user_id, replace(client, actor_id=user.user_id))
        operations = [
            accepted.use,
            *await self._second_factors.removal(user),
            update_user(user, now, second_factor=False, generation=user.generation + 1),
            audit_operation(event, now),
        ]
        try:
            await self._database.transact(operations)
        except TransactionCanceled:
            raise wrong_code() from None
        await self._mails.report([MailJob("second_factor_removed", user.email, {"full_name": user.full_name})])

    async def _find(self, address: str, password: str, now: Micros) -> User | None:
        """The person who may recover: two reads and one hash, whoever it is."""
        account = await self._accounts.find(address, now)
        is_right, user = matches(account.password, password), account.user
        return user if user and is_right and user.is_active and user.second_factor else None


def _subject(address: str, user: User | None) -> str:
    """Whose code it is: a decoy's for an address that gets none. No identity begins like it."""
    return address if user else f"@{address}"
