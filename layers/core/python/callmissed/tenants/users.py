"""People of a tenant: their items, and the addresses by which they are found.

Items of the table `tenants`:

    <tenant>             USER#<user id>   the person: role, state, password hash, generation
    @email#<identity>    ACCOUNT          tenant and user of the address; or, before it is confirmed, what the person
                                          registered (`pending`), which expires

`generation` is in every session: raising it ends all sessions of the person at once. The owner is named by the
tenant's record too (`callmissed.tenants.tenants`), and both change in one transaction.
"""

from dataclasses import asdict, dataclass, fields

from callmissed.aws.attributes import Item, Value
from callmissed.aws.comparisons import begins_with
from callmissed.aws.database import Database
from callmissed.aws.operations import (
    WriteOperation,
    delete_operation,
    put_new_operation,
    put_operation,
    update_operation,
)
from callmissed.clock import SECOND, Micros, iso
from callmissed.errors import ApiError
from callmissed.platform.routes.route import Role
from callmissed.platform.tables import TENANTS
from callmissed.tenants.tenants import change_owner, leave_seat, take_owners_seat, take_seat

_PREFIX = "USER#"
_ACCOUNT = "ACCOUNT"
_OWN_PREFIXES = ("FACTOR#{}", "PASSKEY#{}#")
"""Prefixes of a person's further items, which go with the person."""


@dataclass(frozen=True, slots=True)
class User:
    """A person of a tenant. Times are ISO 8601.

    `email` is the identity, `confirmed` whether the person has proven to read mail there. `password` is an Argon2 hash,
    empty where the person has none; `revision` counts the changes of the item. `second_factor` says that a sign-in
    needs one.
    """

    tenant: str
    user_id: str
    email: str
    full_name: str
    role: Role
    created_at: str
    updated_at: str
    phone_number: str = ""
    is_active: bool = True
    confirmed: bool = False
    password: str = ""
    generation: int = 0
    revision: int = 0
    second_factor: bool = False


@dataclass(frozen=True, slots=True)
class Registration:
    """What a person registered whose address is not confirmed yet. `password` is an Argon2 hash, times ISO 8601."""

    full_name: str
    tenant_name: str
    password: str
    registered_at: str
    phone_number: str = ""


@dataclass(frozen=True, slots=True)
class Address:
    """An e-mail address: whose it is, or what was registered with it."""

    identity: str
    tenant: str = ""
    user_id: str = ""
    pending: Registration | None = None


def user_key(tenant: str, user_id: str) -> Item:
    """Key of a person's item."""
    return {"tenant": tenant, "item": _PREFIX + user_id}


def user_of(item: Item) -> User:
    """The person of an item."""
    return User(
        tenant=item["tenant"],
        user_id=item["item"].removeprefix(_PREFIX),
        email=item["email"],
        full_name=item["full_name"],
        role=Role(item["role"]),
        created_at=item["created_at"],
        updated_at=item["updated_at"],
        phone_number=item["phone_number"],
        is_active=item["is_active"],
        confirmed=item["confirmed"],
        password=item["password"],
        generation=item["generation"],
        revision=item["revision"],
        second_factor=item["second_factor"],
    )


def user_record(user: User) -> Item:
    """The item of a person."""
    names = (each.name for each in fields(User) if each.name not in ("tenant", "user_id"))
    values = {name: getattr(user, name) for name in names}
    return {**user_key(user.tenant, user.user_id), **values, "role": str(user.role)}


async def get_user(database: Database, tenant: str, user_id: str) -> User:
    """The person, strongly consistent. Raises ApiError 404, Unavailable."""
    item = await database.get(TENANTS, user_key(tenant, user_id))
    if not item:
        raise ApiError(404, "not_found", "No such user.")
    return user_of(item)


async def list_users(database: Database, tenant: str) -> list[User]:
    """The tenant's people, oldest first. Raises Unavailable."""
    selected = database.query(TENANTS, tenant, sort=begins_with(_PREFIX), consistent=True)
    users = [user_of(item) async for item in selected]
    return sorted(users, key=lambda user: (user.created_at, user.user_id))


async def find_address(database: Database, identity: str, now: Micros) -> Address:
    """The address as of `now`. One read, which an unknown address costs too. Raises Unavailable."""
    item = await database.get(TENANTS, address_key(identity))
    # DynamoDB deletes what has expired within days, not at once.
    pending = Registration(**item["pending"]) if "pending" in item and item["ttl"] * SECOND > now else None
    return Address(identity, item.get("owner", ""), item.get("user_id", ""), pending)


def address_key(identity: str) -> Item:
    """Key of an address's item."""
    return {"tenant": f"@email#{identity}", "item": _ACCOUNT}


def put_user(user: User) -> WriteOperation:
    """Create the person's item, unless it exists."""
    return put_new_operation(TENANTS, user_record(user))


def keep_registration(identity: str, registration: Registration, expires: int) -> WriteOperation:
    """Store what was registered with an address that is nobody's, until `expires` (epoch seconds)."""
    item = {**address_key(identity), "pending": asdict(registration), "ttl": expires}
    return put_operation(TENANTS, item, must_not_exist=("owner",))


def claim_address(user: User, registration: Registration | None = None) -> WriteOperation:
    """Give the person the address, if it is nobody's, and what was registered with it is still `registration`."""
    item = {**address_key(user.email), "owner": user.tenant, "user_id": user.user_id}
    expected = {"pending": asdict(registration)} if registration else {}
    return put_operation(TENANTS, item, must_not_exist=("owner",), expected=expected)


def update_user(user: User, now: Micros, **changes: Value) -> WriteOperation:
    """Change the person's item as of `now`, if nobody has changed it since it was read."""
    counted = {**changes, "updated_at": iso(now), "revision": user.revision + 1}
    key, unchanged = user_key(user.tenant, user.user_id), {"revision": user.revision}
    return update_operation(TENANTS, key, set=counted, expected=unchanged)


def add_user(user: User, max_seats: int) -> list[WriteOperation]:
    """Add a person with an address that is nobody's, if a seat is free: address, person, and the tenant's count."""
    return [claim_address(user), put_user(user), take_seat(user.tenant, max_seats)]


def add_owner(user: User) -> list[WriteOperation]:
    """Add the owner of a tenant that has none."""
    return [claim_address(user), put_user(user), take_owners_seat(user.tenant, user.user_id)]


async def remove_user(database: Database, user: User) -> list[WriteOperation]:
    """Remove the person, if nobody has changed it since it was read, and free address and seat.

    Two reads: what else belongs to the person goes too. Sessions are refused without their person, and expire.
    """
    own = [
        delete_operation(TENANTS, {"tenant": user.tenant, "item": item["item"]})
        for prefix in _OWN_PREFIXES
        async for item in database.query(
            TENANTS, user.tenant, sort=begins_with(prefix.format(user.user_id)), consistent=True, attributes=("item",)
        )
    ]
    return [
        delete_operation(TENANTS, user_key(user.tenant, user.user_id), expected={"revision": user.revision}),
        delete_operation(TENANTS, address_key(user.email), expected={"user_id": user.user_id}),
        leave_seat(user.tenant),
        *own,
    ]


def transfer_ownership(owner: User, successor: User, now: Micros) -> list[WriteOperation]:
    """Make `successor` the owner and `owner` an admin, if both are as they were read and the tenant is active."""
    return [
        change_owner(owner.tenant, owner.user_id, successor.user_id),
        update_user(owner, now, role=str(Role.ADMIN)),
        update_user(successor, now, role=str(Role.OWNER)),
    ]
