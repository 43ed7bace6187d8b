"""The signed-in person's own second factor: set up, enabled, disabled, and new backup codes."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from callmissed.audit.events import Actor, AuditEvent, audit_operation
from callmissed.aws.database import Database
from callmissed.aws.dynamodb import TransactionCanceled
from callmissed.aws.operations import WriteOperation, check_operation
from callmissed.clock import Micros, iso
from callmissed.errors import ApiError, invalid_request
from callmissed.platform.tables import TENANTS
from callmissed.rate_limits import Limit, SlidingWindows
from callmissed.tenants.users import User, update_user, user_key
from callmissed.web.caller import Person
from functions.auth.mail.jobs import MailJob
from functions.auth.mail.outlet import MailOutlet
from functions.auth.sessions.service import end_all_but
from functions.auth.sign_in.passwords import matches
from functions.auth.two_factor.codes import ISSUER, FactorCodes, provisioning_uri
from functions.auth.two_factor.records import Factor, get_factor, put_factor

GUESSES = Limit("second_factor", 20, 3600)
"""Codes that a person may try in an hour, over all sessions and challenges."""


@dataclass(frozen=True, slots=True)
class FactorStatus:
    """A person's second factor, as the person sees it."""

    is_enabled: bool
    enabled_at: str
    backup_codes_left: int
    has_password: bool


@dataclass(frozen=True, slots=True)
class Setup:
    """What an authenticator app needs. `qr_code` is an SVG as a `data:` URI."""

    secret: str
    provisioning_uri: str
    qr_code: str
    account_name: str
    issuer: str


@dataclass(frozen=True, slots=True)
class BackupCodes:
    """New backup codes in plain text, and when the second factor was enabled."""

    codes: list[str]
    enabled_at: str


class TwoFactor:
    """The second factors of one stage. Every method raises Unavailable, and ApiError 409 for a concurrent change."""

    def __init__(self, database: Database, codes: FactorCodes, windows: SlidingWindows, mails: MailOutlet) -> None:
        self._database = database
        self._codes = codes
        self._windows = windows
        self._mails = mails

    async def status(self, person: Person) -> FactorStatus:
        """The person's second factor."""
        user, factor = await self._read(person)
        return FactorStatus(factor.is_enabled, factor.enabled_at, len(factor.backup_codes), bool(user.password))

    async def setup(self, person: Person, now: Micros) -> Setup:
        """A secret for the person's app, the same for 15 minutes. Raises ApiError 400 if one is enabled."""
        user, factor = await self._read(person)
        if factor.is_enabled:
            raise _already_enabled()
        begun = self._codes.with_setup(factor, now)
        if begun != factor:
            exists = check_operation(TENANTS, user_key(person.tenant, person.user_id))
            await self._write([put_factor(begun), exists])
        secret = self._codes.pending_secret(begun)
        uri = provisioning_uri(secret, user.email)
        return Setup(secret, uri, _qr_code(uri), user.email, ISSUER)

    async def enable(self, person: Person, code: str, actor: Actor, now: Micros) -> BackupCodes:
        """Ask for codes of the app from now on, if `code` is one. Raises ApiError 400, 429."""
        await self._windows.count(GUESSES, person.user_id, now)
        user, factor = await self._read(person)
        if factor.is_enabled:
            raise _already_enabled()
        if not factor.pending:
            raise invalid_request("Call 2fa/setup first.", code="setup_required")
        if factor.pending_until <= now:
            raise invalid_request("The setup has expired. Call 2fa/setup again.", code="setup_expired")
        enabled = self._codes.enabled(factor, code, now)
        if enabled is None:
            raise wrong_code()
        after, codes = self._codes.with_backup_codes(replace(enabled, enabled_at=iso(now)))
        event = AuditEvent(person.tenant, "2fa.enable", "user", person.user_id, actor)
        await self._write([put_factor(after), update_user(user, now, second_factor=True), audit_operation(event, now)])
        await self._mail_addition(user, "an authenticator app")
        return BackupCodes(codes, after.enabled_at)

    async def regenerate(self, person: Person, code: str, actor: Actor, now: Micros) -> BackupCodes:
        """Replace the backup codes; `code` is one of the app. Raises ApiError 400, 429."""
        await self._windows.count(GUESSES, person.user_id, now)
        user, factor = await self._read(person)
        if not factor.is_enabled:
            raise invalid_request("Two-factor authentication is not enabled.", code="two_factor_not_enabled")
        used = self._codes.after_totp(factor, code, now)
        if used is None:
            raise wrong_code()
        after, codes = self._codes.with_backup_codes(used)
        event = AuditEvent(person.tenant, "2fa.backup_codes", "user", person.user_id, actor)
        await self._write([put_factor(after), audit_operation(event, now)])
        await self._mail_addition(user, "a new set of backup codes")
        return BackupCodes(codes, after.enabled_at)

    async def disable(self, person: Person, password: str | None, code: str, actor: Actor, now: Micros) -> bool:
        """Ask for no codes any more, and end the person's other sessions; False if nothing was enabled.

        Passkeys stay. Raises ApiError 400, 429.
        """
        await self._windows.count(GUESSES, person.user_id, now)
        user, factor = await self._read(person)
        if not factor.is_enabled:
            return False
        if user.password and not matches(user.password, password or ""):
            raise invalid_request("The password is wrong.", "password", "invalid_password")
        if self._codes.after_any(factor, code, now) is None:
            raise wrong_code()
        after = Factor(factor.tenant, factor.user_id, passkeys=factor.passkeys, revision=factor.revision)
        event = AuditEvent(person.tenant, "2fa.disable", "user", person.user_id, actor)
        ended = end_all_but(person.session_id, user, now, second_factor=after.is_needed)
        await self._write([put_factor(after), *ended, audit_operation(event, now)])
        await self._mails.report([MailJob("second_factor_removed", user.email, {"full_name": user.full_name})])
        return True

    async def _mail_addition(self, user: User, factor: str) -> None:
        parameters = {"full_name": user.full_name, "factor": factor}
        await self._mails.report([MailJob("second_factor_added", user.email, parameters)])

    async def _read(self, person: Person) -> tuple[User, Factor]:
        return await get_factor(self._database, person.tenant, person.user_id)

    async def _write(self, operations: Sequence[WriteOperation]) -> None:
        try:
            await self._database.transact(operations)
        except TransactionCanceled:
            raise factor_changed() from None


def wrong_code() -> ApiError:
    """400: the code is wrong, or was used."""
    return invalid_request("The code is wrong or was used already.", "code", "invalid_code")


def _already_enabled() -> ApiError:
    return invalid_request("Two-factor authentication is already enabled.", code="two_factor_already_enabled")


def factor_changed() -> ApiError:
    """409: a concurrent request changed the second factor."""
    return ApiError(409, "conflict", "The second factor changed at the same time. Please retry.")


def _qr_code(uri: str) -> str:
    import segno  # which only a setup needs

    return segno.make(uri, error="m").svg_data_uri(scale=4)
