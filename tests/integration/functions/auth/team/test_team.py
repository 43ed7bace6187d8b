"""A tenant's people over the API: invitations, changes, roles and removals, and who may do what to whom."""

import json
from dataclasses import replace
from typing import Any

import pytest

from callmissed.aws.queues import QueueUnavailable
from callmissed.clock import SECOND, Micros
from callmissed.errors import ApiError
from callmissed.idempotency.operation import Operation
from callmissed.plans.plans import Plan
from callmissed.platform.routes import Role
from callmissed.platform.tables import TENANTS
from callmissed.tenants.status import TenantStatus
from callmissed.tenants.tenants import get_tenant
from callmissed.tenants.users import find_address, get_user
from functions.auth.team.invitation import Invitation
from functions.auth.team.service import INVITATIONS
from tests.support.people import BROWSER, SignedIn, new_member, new_tenant, set_status
from tests.support.whole_product import Reply, WholeProduct

PASSWORD = "correct horse"


def invitation(email: str, **more: Any) -> dict[str, Any]:
    return {"email": email, "full_name": "Grace", **more}


def address(owner: SignedIn, name: str = "grace") -> str:
    return f"{name}@{owner.tenant.replace('_', '-')}.example.com"


def body(reply: Reply) -> Any:
    return json.loads(reply.body)


async def invited(owner: SignedIn, **more: Any) -> dict[str, Any]:
    reply = await owner.call("POST", "/api/v1/users", invitation(address(owner), **more))
    assert reply.status == 201, reply.body
    return body(reply)


async def actions(owner: SignedIn) -> list[tuple[str, Any]]:
    """Audit events of the tenant, oldest first: action and metadata."""
    reply = await owner.call("GET", "/api/v1/audit/events")
    return [(event["action"], event["metadata"]) for event in reversed(body(reply))]


def mails_to(product: WholeProduct, email: str) -> list[str]:
    return [job["template"] for job in product.mails.bodies if job["to"] == email]


async def test_invited_person_joins_with_a_mail_and_signs_in_by_password(product: WholeProduct) -> None:
    owner = await new_tenant(product)

    made = await invited(owner, role="admin", password=PASSWORD)

    assert made["email"] == address(owner)
    assert (made["role"], made["is_active"], made["phone_number"]) == ("admin", True, None)
    assert mails_to(product, address(owner)) == ["invitation"]
    signed_in = await product.people.sign_in.login(address(owner), PASSWORD, BROWSER, product.clock())
    assert signed_in.user.user_id == made["id"]
    listed = body(await owner.call("GET", "/api/v1/users"))
    assert [user["id"] for user in listed] == [owner.user.user_id, made["id"]]
    assert listed[1] == made
    assert "password" not in listed[1]
    assert ("user.invite", {"email": made["email"], "role": "admin"}) in await actions(owner)


async def test_invitation_without_a_password_leaves_none(product: WholeProduct) -> None:
    owner = await new_tenant(product)

    made = await invited(owner)

    user = await get_user(product.database, owner.tenant, made["id"])
    assert (user.role, user.password, user.confirmed) == (Role.AGENT, "", False)


async def test_invitation_replaces_a_registration_that_nobody_confirmed(product: WholeProduct) -> None:
    owner = await new_tenant(product)
    form = {"email": address(owner), "password": PASSWORD, "full_name": "Mallory"}
    assert (await owner.call("POST", "/api/v1/auth/register", form)).status == 200

    made = await invited(owner)

    found = await find_address(product.database, address(owner), product.clock())
    assert (found.user_id, found.pending) == (made["id"], None)


@pytest.mark.parametrize(
    ("changes", "status", "says"),
    [
        ({"role": "owner"}, 400, "invite as admin, then transfer"),
        ({"email": "grâce@example.com"}, 400, "only ASCII"),
        ({"email": "nobody"}, 400, "not a valid e-mail address"),
        ({"full_name": " "}, 400, "1 to 255 characters"),
        ({"password": "short"}, 422, ""),
        ({"role": "chief"}, 422, ""),
    ],
)
async def test_invitation_that_can_not_be_is_refused(
    product: WholeProduct, changes: dict[str, str], status: int, says: str
) -> None:
    owner = await new_tenant(product)

    reply = await owner.call("POST", "/api/v1/users", invitation(address(owner)) | changes)

    assert reply.status == status
    assert says in reply.error["message"]


async def test_address_with_an_account_is_refused(product: WholeProduct) -> None:
    owner, other = await new_tenant(product), await new_tenant(product)
    await invited(owner)

    again = await owner.call("POST", "/api/v1/users", invitation(f" {address(owner).upper()} "))
    elsewhere = await other.call("POST", "/api/v1/users", invitation(address(owner)))

    assert (again.status, elsewhere.status) == (409, 409)
    assert "in the team already" in again.error["message"]
    assert "another organisation" in elsewhere.error["message"]


async def test_seats_of_the_plan_hold_and_a_removal_frees_one(product: WholeProduct) -> None:
    owner = await new_tenant(product, plan=Plan.FREE)
    first = await invited(owner)

    full = await owner.call("POST", "/api/v1/users", invitation(address(owner, "ada")))

    assert (full.status, full.error["code"]) == (403, "limit_reached")
    assert "All 2 seats" in full.error["message"]
    assert (await owner.call("DELETE", f"/api/v1/users/{first['id']}")).status == 204
    assert (await owner.call("POST", "/api/v1/users", invitation(address(owner, "ada")))).status == 201
    assert (await get_tenant(product.database, owner.tenant, consistent=True)).seats == 2


async def test_tenant_invites_thirty_in_a_day(product: WholeProduct) -> None:
    owner = await new_tenant(product)
    day = INVITATIONS.seconds * SECOND
    for number in range(INVITATIONS.count):
        await product.people.windows.count(INVITATIONS, owner.tenant, Micros(product.clock() - day // 2 + number))

    refused = await owner.call("POST", "/api/v1/users", invitation(address(owner)))

    assert refused.status == 429
    assert day // 2 // SECOND - 60 <= int(refused.headers["retry-after"]) <= day // 2 // SECOND + 1


async def test_address_gets_five_invitations_an_hour_from_all_tenants(product: WholeProduct) -> None:
    owners = [await new_tenant(product) for _ in range(6)]
    email = address(owners[0])
    for owner in owners[:5]:
        made = await owner.call("POST", "/api/v1/users", invitation(email))
        assert (await owner.call("DELETE", f"/api/v1/users/{body(made)['id']}")).status == 204

    assert (await owners[5].call("POST", "/api/v1/users", invitation(email))).status == 429
    assert len(mails_to(product, email)) == 5


async def test_ownership_goes_to_nobody_who_has_not_confirmed_the_address(product: WholeProduct) -> None:
    owner = await new_tenant(product)
    made = await invited(owner)

    refused = await owner.call("PATCH", f"/api/v1/users/{made['id']}/role", {"role": "owner"})

    assert (refused.status, refused.error["code"]) == (400, "invalid_request_error")
    assert "not confirmed" in refused.error["message"]
    assert (await get_user(product.database, owner.tenant, owner.user.user_id)).role is Role.OWNER


async def test_repeated_invitation_adds_one_person(product: WholeProduct) -> None:
    owner = await new_tenant(product)
    headers = {"Idempotency-Key": "once"}

    first = await owner.call("POST", "/api/v1/users", invitation(address(owner)), headers)
    second = await owner.call("POST", "/api/v1/users", invitation(address(owner)), headers)

    assert (first.status, second.body) == (201, first.body)
    assert mails_to(product, address(owner)) == ["invitation"]


async def test_invitation_is_completed_after_a_crash(product: WholeProduct) -> None:

    owner, operation = await new_tenant(product), Operation.new()
    actor = replace(BROWSER, actor_id=owner.user.user_id)
    form = Invitation(address(owner), "Grace")

    runs = [await product.people.team.invite(owner.tenant, form, actor, product.clock(), operation) for _ in range(2)]

    assert runs[0].user_id == runs[1].user_id
    assert (await get_tenant(product.database, owner.tenant, consistent=True)).seats == 2


async def test_invitation_counts_also_when_its_mail_is_lost(
    product: WholeProduct, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = await new_tenant(product)

    async def full(_messages: object) -> None:
        raise QueueUnavailable("full")

    monkeypatch.setattr(product.mails, "send", full)

    made = await invited(owner)

    assert made in body(await owner.call("GET", "/api/v1/users"))


async def test_suspended_tenant_gets_nobody(product: WholeProduct) -> None:

    owner = await new_tenant(product)
    await set_status(product, owner.tenant, TenantStatus.SUSPENDED)
    actor = replace(BROWSER, actor_id=owner.user.user_id)

    with pytest.raises(ApiError) as refused:
        await product.people.team.invite(
            owner.tenant, Invitation(address(owner), "Grace"), actor, product.clock(), Operation.new()
        )

    assert refused.value.code == "account_inactive"


async def test_changes_are_kept_and_audited(product: WholeProduct) -> None:
    owner = await new_tenant(product)
    member = await new_member(owner, Role.AGENT)
    path = f"/api/v1/users/{member.user.user_id}"

    changed = await owner.call("PUT", path, {"full_name": " Grace Hopper ", "role": "admin"})
    unchanged = await owner.call("PUT", path, {"role": "admin"})

    assert body(changed) | {"updated_at": ""} == body(unchanged) | {"updated_at": ""}
    assert (body(changed)["full_name"], body(changed)["role"]) == ("Grace Hopper", "admin")
    expected = {
        "before": {"full_name": "Ada", "role": "agent"},
        "after": {"full_name": "Grace Hopper", "role": "admin"},
    }
    assert [metadata for action, metadata in await actions(owner) if action == "user.update"] == [expected]


async def test_deactivated_person_is_signed_out_for_good(product: WholeProduct) -> None:
    owner = await new_tenant(product)
    member = await new_member(owner, Role.AGENT)
    path = f"/api/v1/users/{member.user.user_id}"

    assert (await owner.call("PUT", path, {"is_active": False})).status == 200
    assert (await member.call("GET", "/api/v1/auth/me")).status == 401
    assert (await owner.call("PUT", path, {"is_active": True})).status == 200

    assert (await member.call("GET", "/api/v1/auth/me")).status == 401
    assert len(body(await owner.call("GET", "/api/v1/users"))) == 2


async def test_removed_person_is_signed_out_and_the_address_is_free(product: WholeProduct) -> None:
    owner, other = await new_tenant(product), await new_tenant(product)
    member = await new_member(owner, Role.ADMIN)
    own = {"tenant": owner.tenant, "item": f"PASSKEY#{member.user.user_id}#1"}
    foreign = {"tenant": owner.tenant, "item": f"PASSKEY#{owner.user.user_id}#1"}
    for item in (own, foreign):
        await product.database.put(TENANTS, item)

    assert (await owner.call("DELETE", f"/api/v1/users/{member.user.user_id}")).status == 204

    assert (await member.call("GET", "/api/v1/auth/me")).status == 401
    assert not await product.database.get(TENANTS, own)
    assert await product.database.get(TENANTS, foreign)
    assert (await other.call("POST", "/api/v1/users", invitation(member.user.email))).status == 201
    assert ("user.delete", {"email": member.user.email, "role": "admin"}) in await actions(owner)


@pytest.mark.parametrize(
    ("method", "target", "form", "status", "says"),
    [
        ("PUT", "owner", {"role": "agent"}, 400, "Transfer the ownership"),
        ("PUT", "owner", {"is_active": False}, 400, "can't be deactivated"),
        ("PUT", "owner", {"full_name": "Mallory"}, 403, "Only the owner"),
        ("PUT", "admin", {"role": "agent"}, 400, "your own role"),
        ("DELETE", "owner", None, 400, "can't be removed"),
        ("DELETE", "admin", None, 400, "can't remove yourself"),
    ],
)
async def test_admin_can_touch_neither_the_owner_nor_the_own_role(
    product: WholeProduct, method: str, target: str, form: Any, status: int, says: str
) -> None:
    owner = await new_tenant(product)
    admin = await new_member(owner, Role.ADMIN)
    user_id = owner.user.user_id if target == "owner" else admin.user.user_id

    refused = await admin.call(method, f"/api/v1/users/{user_id}", form)

    assert refused.status == status
    assert says in refused.error["message"]


async def test_role_owner_is_not_given_by_put(product: WholeProduct) -> None:
    owner = await new_tenant(product)
    member = await new_member(owner, Role.AGENT)

    assert (await owner.call("PUT", f"/api/v1/users/{member.user.user_id}", {"role": "owner"})).status == 422


async def test_ownership_is_transferred_and_both_get_a_mail(product: WholeProduct) -> None:
    owner = await new_tenant(product)
    member = await new_member(owner, Role.AGENT)

    reply = await owner.call("PATCH", f"/api/v1/users/{member.user.user_id}/role", {"role": "owner"})

    assert (reply.status, body(reply)["role"]) == (200, "owner")
    roles = {user["id"]: user["role"] for user in body(await member.call("GET", "/api/v1/users"))}
    assert roles == {owner.user.user_id: "admin", member.user.user_id: "owner"}
    assert (await get_tenant(product.database, owner.tenant, consistent=True)).owner == member.user.user_id
    assert mails_to(product, member.user.email) == ["ownership_received"]
    assert mails_to(product, owner.user.email) == ["ownership_given"]
    refused = await owner.call("PATCH", f"/api/v1/users/{member.user.user_id}/role", {"role": "agent"})
    assert (refused.status, refused.error["message"]) == (403, "Requires role: owner")
    expected = {"from": "agent", "to": "owner", "ownership_transfer": True}
    assert ("role.change", expected) in await actions(member)


async def test_same_role_changes_nothing(product: WholeProduct) -> None:
    owner = await new_tenant(product)
    member = await new_member(owner, Role.AGENT)

    for user, role in ((member.user, "agent"), (owner.user, "owner")):
        reply = await owner.call("PATCH", f"/api/v1/users/{user.user_id}/role", {"role": role})
        assert (reply.status, body(reply)["updated_at"]) == (200, user.updated_at)

    assert await actions(owner) == []
    assert product.mails.bodies == [] or not mails_to(product, member.user.email)


@pytest.mark.parametrize(
    ("target", "role", "says"), [("self", "admin", "own role"), ("asleep", "owner", "deactivated")]
)
async def test_role_that_can_not_be_given_is_refused(product: WholeProduct, target: str, role: str, says: str) -> None:
    owner = await new_tenant(product)
    member = await new_member(owner, Role.AGENT)
    await owner.call("PUT", f"/api/v1/users/{member.user.user_id}", {"is_active": False})
    user_id = owner.user.user_id if target == "self" else member.user.user_id

    refused = await owner.call("PATCH", f"/api/v1/users/{user_id}/role", {"role": role})

    assert refused.status == 400
    assert says in refused.error["message"]
