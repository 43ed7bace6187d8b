"""A tenant's people on a real table, and what must hold for them at every moment."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from callmissed.audit.events import Actor, ActorKind
from callmissed.aws.attributes import Item
from callmissed.aws.database import Database
from callmissed.aws.dynamodb import DynamoDB
from callmissed.aws.queues import Message
from callmissed.clock import Micros, iso
from callmissed.ids import new_id
from callmissed.plans.plans import Plan
from callmissed.platform.routes import Role
from callmissed.platform.tables import TENANTS
from callmissed.rate_limits import SlidingWindows
from callmissed.sealing import Sealer
from callmissed.tenants.tenants import Tenant, create_tenant_operations, tenant_key
from callmissed.tenants.users import User, add_user, address_key, claim_address, put_user
from functions.auth.mail.outlet import MailOutlet
from functions.auth.mail.quota import MailQuota
from functions.auth.team.service import Team


@dataclass
class Mails:
    """Keeps the jobs of mails."""

    sent: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])

    async def send(self, messages: Sequence[Message]) -> None:
        self.sent += [message.body for message in messages]


def team_of(dynamodb: DynamoDB, stage: str) -> Team:
    """The service over `dynamodb`, as a process has it."""
    database = Database(dynamodb, stage)
    windows = SlidingWindows(database)
    return Team(database, windows, MailQuota(windows), MailOutlet(Mails(), Sealer((bytes(32),))))


def acting(user_id: str) -> Actor:
    """The person, from nowhere in particular."""
    return Actor(ActorKind.PERSON, user_id)


async def found_tenant(
    database: Database, now: Micros, members: int, plan: Plan = Plan.ENTERPRISE
) -> tuple[str, list[str]]:
    """A tenant with an owner and `members` admins: its id, and theirs, the owner's first."""
    user_ids = [new_id("usr") for _ in range(members + 1)]
    tenant = Tenant(new_id("tnt"), "Tests", plan, iso(now), owner=user_ids[0])
    people = [_person(tenant.tenant_id, user_id, now) for user_id in user_ids]
    owner = replace(people[0], role=Role.OWNER)
    await database.transact([*create_tenant_operations(tenant, now), put_user(owner), claim_address(owner)])
    for person in people[1:]:
        await database.transact(add_user(person, members + 1))
    return tenant.tenant_id, user_ids


def _person(tenant: str, user_id: str, now: Micros) -> User:
    return User(tenant, user_id, f"{user_id}@example.com", "Ada", Role.ADMIN, iso(now), iso(now), confirmed=True)


async def snapshot(database: Database, tenant: str, user_ids: Sequence[str]) -> list[Item]:
    """The tenant's record and the items of these people, as of one moment."""
    keys = [tenant_key(tenant), *({"tenant": tenant, "item": f"USER#{user_id}"} for user_id in user_ids)]
    return await database.get_all_at_once(TENANTS, keys)


def check_owner(items: Sequence[Item]) -> str:
    """Exactly one active owner, whom the tenant's record names; returns the owner's id."""
    (tenant,) = [item for item in items if item["item"] == "TENANT"]
    owners = [item for item in items if item.get("role") == Role.OWNER]
    assert [(item["item"], item["is_active"]) for item in owners] == [(f"USER#{tenant['owner']}", True)]
    return tenant["owner"]


async def check_addresses(database: Database, tenant: str) -> None:
    """People and addresses name each other, and the tenant counts its people."""
    people = [item async for item in database.query(TENANTS, tenant, consistent=True) if "email" in item]
    for person in people:
        address = await database.get(TENANTS, address_key(person["email"]))
        assert (address["owner"], f"USER#{address['user_id']}") == (tenant, person["item"])
    assert (await database.get(TENANTS, tenant_key(tenant)))["seats"] == len(people)
