"""What operators do to a tenant's people, and to the tenant as a whole: with a reason, and audited with the ARN."""

import json
from typing import Any

import pytest

from local.api_gateway.sigv4 import OPERATOR_ARN
from tests.support.operators import Operator
from tests.support.people import SignedIn, new_tenant
from tests.support.whole_product import WholeProduct

PATH = "/api/v1/admin/tenants"


async def operate(product: WholeProduct, path: str, **body: Any) -> tuple[int, Any]:
    reply = await Operator().call(product, "POST", f"{PATH}{path}", {"reason": "asked by mail", **body})
    return reply.status, json.loads(reply.body)


async def audited(owner: SignedIn) -> list[dict[str, Any]]:
    return json.loads((await owner.call("GET", "/api/v1/audit/events")).body)


async def test_tenant_is_suspended_and_reactivated_with_a_reason(product: WholeProduct) -> None:
    owner = await new_tenant(product)

    suspended = await operate(product, f"/{owner.tenant}/suspend")
    assert (suspended[0], suspended[1]["status"]) == (200, "suspended")
    assert (await owner.call("GET", "/api/v1/auth/me")).status == 403
    restored = await operate(product, f"/{owner.tenant}/reactivate")

    assert (restored[0], restored[1]["status"]) == (200, "active")
    events = await audited(owner)
    assert [event["action"] for event in events] == ["tenant.reactivate", "tenant.suspend"]
    assert {event["actor_id"] for event in events} == {OPERATOR_ARN}
    assert events[1]["metadata"] == {"before": "active", "after": "suspended", "reason": "asked by mail"}


async def test_first_person_owns_the_tenant_and_later_ones_do_not(product: WholeProduct) -> None:
    tenant = (await operate(product, "", name="Blue Kettle"))[1]["tenant_id"]
    domain = f"{tenant.replace('_', '-')}.example.com"

    first = await operate(product, f"/{tenant}/users", email=f"ada@{domain}", full_name="Ada", role="agent")
    second = await operate(product, f"/{tenant}/users", email=f"grace@{domain}", full_name="Grace", role="admin")
    again = await operate(product, f"/{tenant}/users", email=f"grace@{domain}", full_name="Grace")

    assert [(status, user["role"]) for status, user in (first, second)] == [(201, "owner"), (201, "admin")]
    assert again[0] == 409
    assert [job["template"] for job in product.mails.bodies if job["to"].endswith(domain)] == ["invitation"] * 2


async def test_person_is_deactivated_but_neither_the_owner_nor_a_foreign_one(product: WholeProduct) -> None:
    owner, other = await new_tenant(product), await new_tenant(product)
    email = f"grace@{owner.tenant.replace('_', '-')}.example.com"
    _, invited = await operate(product, f"/{owner.tenant}/users", email=email, full_name="Grace")

    foreign = await operate(product, f"/{other.tenant}/users/{invited['id']}/deactivate")
    deactivated = await operate(product, f"/{owner.tenant}/users/{invited['id']}/deactivate")
    refused = await operate(product, f"/{owner.tenant}/users/{owner.user.user_id}/deactivate")

    assert (foreign[0], deactivated[0], deactivated[1]["is_active"], refused[0]) == (404, 200, False, 400)


@pytest.mark.parametrize("path", ["suspend", "users", "users/usr_1/deactivate", "keys", "keys/key_1/revoke", "credits"])
async def test_tenant_that_no_table_could_have_is_not_found(product: WholeProduct, path: str) -> None:
    tenant, everything = "tnt_" + "0" * 2100, {"users": {"email": "ada@example.com", "full_name": "Ada"}}
    more = {**everything, "keys": {"name": "server"}, "credits": {"credits": "1", "operation_id": "one"}}.get(path, {})

    assert (await operate(product, f"/{tenant}/{path}", **more))[0] == 404
