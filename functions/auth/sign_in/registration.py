"""Sign-up by e-mail address: what is registered is kept with the address, and comes to be with the code of the mail."""

from callmissed.audit.events import Actor
from callmissed.aws.database import Database
from callmissed.aws.dynamodb import TransactionCanceled
from callmissed.clock import SECOND, Micros, iso
from callmissed.errors import ApiError
from callmissed.tenants.identity import identity
from callmissed.tenants.tenants import checked_name
from callmissed.tenants.users import Registration, keep_registration
from functions.auth.challenges.codes import CodePurpose, Codes, wrong_code
from functions.auth.mail.jobs import MailJob, nothing
from functions.auth.mail.outlet import MailOutlet
from functions.auth.mail.quota import MailQuota
from functions.auth.sign_in.accounts import Accounts, FoundAccount
from functions.auth.sign_in.completion import SignedIn, SignInMethod
from functions.auth.sign_in.passwords import hash_password
from functions.auth.sign_in.profile import checked_phone_number
from functions.auth.sign_in.schemas import RegistrationForm

_KEPT_SECONDS = 7 * 24 * 3600


class Registrations:
    """Registers people. Every method raises Unavailable and QueueUnavailable.

    A code confirms only the registration that it was sent for: one that came after it, perhaps from another person,
    needs a code of its own.
    """

    def __init__(
        self, database: Database, accounts: Accounts, codes: Codes, mails: MailOutlet, quota: MailQuota, terms_url: str
    ) -> None:
        self._database = database
        self._accounts = accounts
        self._codes = codes
        self._mails = mails
        self._quota = quota
        self._terms_url = terms_url

    async def register(self, form: RegistrationForm, now: Micros) -> str:
        """Keep the registration and mail a code; returns the identity. Raises ApiError 400, 422.

        An address that has had its mails of this hour keeps what was registered before.
        """
        address = identity(form.email)
        self.check_terms(accepted=form.accept_terms)
        registration = _registration(form, now)
        if await self._quota.count(CodePurpose.REGISTER, address, now):
            kept = keep_registration(address, registration, now // SECOND + _KEPT_SECONDS)
            is_free = await self._database.write_if(kept)
            code = await self._codes.issue(CodePurpose.REGISTER, address, now, confirms=registration.password)
            parameters = {"code": code, "full_name": registration.full_name}
            again = MailJob("register_again", address)
            await self._mails.send(MailJob("register", address, parameters) if is_free else again)
        return address

    async def send_code(self, account: FoundAccount, now: Micros) -> None:
        """Mail a new code for what is registered with the address, if something is."""
        confirms = account.pending.password if account.pending else ""
        code = await self._codes.issue(CodePurpose.REGISTER, account.identity, now, confirms=confirms)
        mail = nothing(account.identity)
        if account.pending:
            mail = MailJob("register", account.identity, {"code": code, "full_name": account.pending.full_name})
        await self._mails.send(mail)

    async def confirm(self, account: FoundAccount, code: str, client: Actor, now: Micros) -> SignedIn:
        """Create tenant and owner of what is registered, and sign in. Raises ApiError 400."""
        pending = account.pending
        confirms = pending.password if pending else ""
        accepted = await self._codes.accept(CodePurpose.REGISTER, account.identity, code, now, confirms=confirms)
        if pending is None:
            raise wrong_code()
        try:
            return await self._accounts.create(
                account.identity, pending, client, now, method=SignInMethod.REGISTRATION, operations=[accepted.use]
            )
        except TransactionCanceled:
            raise wrong_code() from None

    def check_terms(self, *, accepted: bool) -> None:
        """Hold a new account to the terms of service, where the stage has some. Raises ApiError 422."""
        if self._terms_url and not accepted:
            message = f"Accept the terms of service to create an account: {self._terms_url}"
            problem = {"loc": ["body", "accept_terms"], "msg": message}
            raise ApiError(422, "invalid_request_error", message, details=[problem])


def _registration(form: RegistrationForm, now: Micros) -> Registration:
    name = checked_name(form.full_name)
    return Registration(
        full_name=name,
        tenant_name=checked_name(form.tenant_name or name),
        password=hash_password(form.password),
        registered_at=iso(now),
        phone_number=checked_phone_number(form.phone_number),
    )
