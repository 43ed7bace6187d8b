"""Items of second factors, in the table `tenants`.

    <tenant>  FACTOR#<user id>                the person's second factor as a whole
    <tenant>  PASSKEY#<user id>#<passkey id>  one passkey

The id of a passkey is made of its credential's id, so a credential is found by its key and registered once.
All changes go by `revision` of the factor's item, which also counts the passkeys.
"""

import hashlib
from dataclasses import dataclass, fields

from callmissed.aws.attributes import Item
from callmissed.aws.comparisons import begins_with
from callmissed.aws.database import Database
from callmissed.aws.operations import WriteOperation, delete_operation, put_new_operation, put_operation
from callmissed.clock import Micros
from callmissed.errors import ApiError
from callmissed.platform.tables import TENANTS
from callmissed.tenants.users import User, user_key, user_of

_NEVER = Micros(0)


@dataclass(frozen=True, slots=True)
class Factor:
    """A person's second factor. `enabled_at` is ISO 8601, empty while codes of an app are not asked for.

    `secret` is the sealed secret of the app, `pending` the one that the person is setting up until `pending_until`.
    `used_steps` are the time steps whose code was used, `backup_codes` hashes of those that are left. `passkeys` counts
    the passkeys, and `revision` the changes.
    """

    tenant: str
    user_id: str
    secret: str = ""
    enabled_at: str = ""
    used_steps: tuple[int, ...] = ()
    backup_codes: tuple[str, ...] = ()
    pending: str = ""
    pending_until: Micros = _NEVER
    passkeys: int = 0
    revision: int = 0

    @property
    def is_enabled(self) -> bool:
        """Whether codes of an app are asked for."""
        return bool(self.secret)

    @property
    def is_needed(self) -> bool:
        """Whether a sign-in needs a second factor."""
        return self.is_enabled or self.passkeys > 0


@dataclass(frozen=True, slots=True)
class Passkey:
    """A passkey of a person. Credential id and public key are in hex, times ISO 8601, empty before the first use."""

    passkey_id: str
    name: str
    credential_id: str
    public_key: str
    sign_count: int
    transports: tuple[str, ...]
    created_at: str
    last_used_at: str = ""


def factor_key(tenant: str, user_id: str) -> Item:
    """Key of a person's second factor."""
    return {"tenant": tenant, "item": f"FACTOR#{user_id}"}


def factor_of(tenant: str, user_id: str, item: Item) -> Factor:
    """The factor of an item, which is empty for a person who has never had one."""
    if not item:
        return Factor(tenant, user_id)
    return Factor(
        tenant=tenant,
        user_id=user_id,
        secret=item["secret"],
        enabled_at=item["enabled_at"],
        used_steps=tuple(item["used_steps"]),
        backup_codes=tuple(item["backup_codes"]),
        pending=item["pending"],
        pending_until=Micros(item["pending_until"]),
        passkeys=item["passkeys"],
        revision=item["revision"],
    )


def put_factor(factor: Factor) -> WriteOperation:
    """Write the factor, if nobody has changed it since it was read."""
    values = {each.name: getattr(factor, each.name) for each in fields(Factor)}
    key = factor_key(values.pop("tenant"), values.pop("user_id"))
    lists = {name: list(values[name]) for name in ("used_steps", "backup_codes")}
    item = {**key, **values, **lists, "revision": factor.revision + 1}
    if factor.revision:
        return put_operation(TENANTS, item, expected={"revision": factor.revision})
    return put_operation(TENANTS, item, must_not_exist=("revision",))


def passkey_id_of(credential_id: bytes) -> str:
    """Id of the passkey with that credential."""
    return f"psk_{hashlib.sha256(credential_id).hexdigest()[:24]}"


def passkey_key(tenant: str, user_id: str, passkey_id: str) -> Item:
    """Key of a passkey's item."""
    return {"tenant": tenant, "item": f"{_passkeys_of(user_id)}{passkey_id}"}


def passkey_of(item: Item) -> Passkey:
    """The passkey of an item."""
    _, _, passkey_id = item["item"].rpartition("#")
    return Passkey(
        passkey_id=passkey_id,
        name=item["name"],
        credential_id=item["credential_id"],
        public_key=item["public_key"],
        sign_count=item["sign_count"],
        transports=tuple(item["transports"]),
        created_at=item["created_at"],
        last_used_at=item["last_used_at"],
    )


def put_new_passkey(tenant: str, user_id: str, passkey: Passkey) -> WriteOperation:
    """Create the passkey's item, unless it exists."""
    values = {each.name: getattr(passkey, each.name) for each in fields(Passkey) if each.name != "passkey_id"}
    key = passkey_key(tenant, user_id, passkey.passkey_id)
    return put_new_operation(TENANTS, {**key, **values, "transports": list(passkey.transports)})


async def get_factor(database: Database, tenant: str, user_id: str) -> tuple[User, Factor]:
    """The person and the second factor. One read. Raises ApiError 404, Unavailable."""
    user, factor = await database.get_across(
        (TENANTS, user_key(tenant, user_id)), (TENANTS, factor_key(tenant, user_id))
    )
    if not user:
        raise ApiError(404, "not_found", "No such user.")
    return user_of(user), factor_of(tenant, user_id, factor)


async def list_passkeys(database: Database, tenant: str, user_id: str) -> list[Passkey]:
    """The person's passkeys, oldest first. Raises Unavailable."""
    selected = database.query(TENANTS, tenant, sort=begins_with(_passkeys_of(user_id)), consistent=True)
    found = [passkey_of(item) async for item in selected]
    return sorted(found, key=lambda passkey: (passkey.created_at, passkey.passkey_id))


async def remove_factor(database: Database, user: User) -> list[WriteOperation]:
    """Remove everything of the person's second factor, as it is now, but for the person's own item.

    The factor's item stays with nothing but its revision, so that no reader of before can bring anything back.
    Raises Unavailable.
    """
    _, factor = await get_factor(database, user.tenant, user.user_id)
    passkeys = await list_passkeys(database, user.tenant, user.user_id)
    keys = [passkey_key(user.tenant, user.user_id, passkey.passkey_id) for passkey in passkeys]
    emptied = Factor(user.tenant, user.user_id, revision=factor.revision)
    return [put_factor(emptied), *(delete_operation(TENANTS, key) for key in keys)]


def _passkeys_of(user_id: str) -> str:
    return f"PASSKEY#{user_id}#"
