"""Sign-up and sign-in by password.

The work is the same whether an address has an account, has no password, is unconfirmed or deactivated: the same reads,
one hash, and a mail that a queue sends.
"""

from dataclasses import dataclass

from callmissed.audit.events import Actor, AuditEvent, audit_operation
from callmissed.aws.database import Database
from callmissed.aws.dynamodb import TransactionCanceled
from callmissed.aws.queues import Sending
from callmissed.clock import SECOND, Micros, iso
from callmissed.errors import ApiError
from callmissed.ids import new_id
from callmissed.plans.plans import Plan
from callmissed.platform.routes.route import Role
from callmissed.platform.tables import TENANTS
from callmissed.sealing import Sealer
from callmissed.tenants.identity import identity
from callmissed.tenants.tenants import Tenant, checked_name, create_tenant_operations, tenant_key, tenant_of
from callmissed.tenants.users import (
    Registration,
    User,
    claim_address,
    find_address,
    keep_registration,
    put_user,
    user_key,
    user_of,
)
from functions.auth.challenges.codes import CodePurpose, Codes, wrong_code
from functions.auth.mail.jobs import MailJob
from functions.auth.sessions.service import Sessions, TokenPair
from functions.auth.sign_in.passwords import hash_password, matches
from functions.auth.sign_in.schemas import RegistrationForm

_REGISTRATION_SECONDS = 7 * 24 * 3600
_NOBODY = "-"


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A person who has just signed in."""

    user: User
    pair: TokenPair


class SignIn:
    """Signs people up and in. Every method raises Unavailable when DynamoDB does not answer."""

    def __init__(self, database: Database, codes: Codes, sessions: Sessions, mails: Sending, sealer: Sealer) -> None:
        self._database = database
        self._codes = codes
        self._sessions = sessions
        self._mails = mails
        self._sealer = sealer

    async def register(self, form: RegistrationForm, now: Micros) -> str:
        """Keep the registration and mail a code; returns the identity. Raises ApiError 400."""
        address = identity(form.email)
        name = checked_name(form.full_name)
        registration = Registration(
            full_name=name,
            tenant_name=checked_name(form.tenant_name or name),
            password=hash_password(form.password),
            registered_at=iso(now),
            phone_number=form.phone_number,
        )
        kept = keep_registration(address, registration, now // SECOND + _REGISTRATION_SECONDS)
        is_free = await self._database.write_if(kept)
        code = await self._codes.issue(CodePurpose.REGISTER, address, now)
        mail = (
            MailJob("register", address, {"code": code, "full_name": name})
            if is_free
            else MailJob("register_again", address, {})
        )
        await self._mails.send([mail.message(self._sealer)])
        return address

    async def confirm(self, email: str, code: str, client: Actor, now: Micros) -> SignedIn:
        """Create tenant and owner of a registration, with the bonus, and sign in. Raises ApiError 400."""
        address = identity(email)
        accepted = await self._codes.accept(CodePurpose.REGISTER, address, code, now)
        registration = (await find_address(self._database, address)).pending
        if registration is None:
            raise wrong_code()
        tenant_id, user_id = new_id("tnt"), new_id("usr")
        tenant = Tenant(tenant_id, registration.tenant_name, Plan.FREE, iso(now), owner=user_id)
        user = User(
            tenant=tenant_id,
            user_id=user_id,
            email=address,
            full_name=registration.full_name,
            role=Role.OWNER,
            created_at=iso(now),
            updated_at=iso(now),
            phone_number=registration.phone_number,
            confirmed=True,
            password=registration.password,
        )
        pair, begun = self._sessions.begin(user, client, now)
        event = AuditEvent(tenant_id, "user.register", "user", user_id, client)
        operations = [
            accepted.use,
            claim_address(user, registration),
            put_user(user),
            *create_tenant_operations(tenant, now),
            begun,
            audit_operation(event, now),
        ]
        try:
            await self._database.transact(operations)
        except TransactionCanceled:
            raise wrong_code() from None
        return SignedIn(user, pair)

    async def login(self, email: str, password: str, client: Actor, now: Micros) -> SignedIn:
        """Sign in. Two reads, one hash and one transaction. Raises ApiError 401, and 403 after the right password."""
        address = await find_address(self._database, identity(email))
        owner = address.tenant or _NOBODY
        user_item, tenant_item = await self._database.get_across(
            (TENANTS, user_key(owner, address.user_id or _NOBODY)), (TENANTS, tenant_key(owner))
        )
        user = user_of(user_item) if user_item else None
        stored = user.password if user else address.pending.password if address.pending else ""
        if not matches(stored, password):
            raise ApiError(401, "invalid_credentials", "Wrong e-mail address or password.")
        if user is None:
            raise ApiError(403, "email_not_verified", "Confirm your e-mail address with the code that was sent to it.")
        if not user.is_active:
            raise ApiError(403, "account_deactivated", "This account has been deactivated.")
        return await self._signed_in(user, tenant_of(tenant_item), client, now)

    async def _signed_in(self, user: User, _tenant: Tenant, client: Actor, now: Micros) -> SignedIn:
        pair, begun = self._sessions.begin(user, client, now)
        event = AuditEvent(user.tenant, "session.begin", "user", user.user_id, client)
        await self._database.transact([begun, audit_operation(event, now)])
        return SignedIn(user, pair)
