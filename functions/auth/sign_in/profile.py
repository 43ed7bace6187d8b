"""The signed-in person's own profile."""

from collections.abc import Mapping
from dataclasses import dataclass

from callmissed.audit.events import Actor, AuditEvent, audit_operation
from callmissed.aws.database import Database
from callmissed.aws.dynamodb import TransactionCanceled
from callmissed.clock import Micros
from callmissed.errors import ApiError, invalid_request
from callmissed.ledger.queries import balance
from callmissed.money import credits
from callmissed.platform.tables import TENANTS
from callmissed.tenants.tenants import Tenant, checked_name, tenant_key, tenant_of
from callmissed.tenants.users import User, get_user, update_user, user_key, user_of


@dataclass(frozen=True, slots=True)
class Profile:
    """A person, the tenant, and its balance in credits."""

    user: User
    tenant: Tenant
    balance: float


class Profiles:
    """Reads and changes profiles. Raises Unavailable when DynamoDB does not answer."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, tenant: str, user_id: str, now: Micros) -> Profile:
        """The person's profile. Raises ApiError 404."""
        user, owner = await self._database.get_across(
            (TENANTS, user_key(tenant, user_id)), (TENANTS, tenant_key(tenant))
        )
        if not user or not owner:
            raise ApiError(404, "not_found", "No such user.")
        money = await balance(self._database, tenant, now)
        return Profile(user_of(user), tenant_of(owner), credits(money.available))

    async def change(self, tenant: str, user_id: str, changes: Mapping[str, str], actor: Actor, now: Micros) -> None:
        """Change name or phone number. Raises ApiError 400, 404, 409."""
        if name := changes.get("full_name"):
            changes = {**changes, "full_name": checked_name(name)}
        if number := changes.get("phone_number"):
            changes = {**changes, "phone_number": checked_phone_number(number)}
        user = await get_user(self._database, tenant, user_id)
        before = {name: getattr(user, name) for name in changes}
        if before == changes:
            return
        metadata = {"before": before, "after": dict(changes)}
        event = AuditEvent(tenant, "profile.update", "user", user_id, actor, metadata)
        try:
            await self._database.transact([update_user(user, now, **changes), audit_operation(event, now)])
        except TransactionCanceled:
            raise ApiError(409, "conflict", "The profile changed at the same time. Please retry.") from None


def checked_phone_number(number: str) -> str:
    """The number in E.164, empty for none. A number without a country code is an Indian one. Raises ApiError 400."""
    if not number.strip():
        return ""
    import phonenumbers  # its tables of numbers take 0.2 s to import, and few requests have a number

    try:
        parsed = phonenumbers.parse(number, "IN")
    except phonenumbers.NumberParseException:
        raise _no_phone_number() from None
    if not phonenumbers.is_possible_number(parsed):
        raise _no_phone_number()
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)


def _no_phone_number() -> ApiError:
    return invalid_request("This is not a phone number. Write it with its country code.", "phone_number")
