"""What operators do to tenants: signed, with a reason, and audited with the ARN."""

import json
from typing import Any

import pytest

from callmissed.ids import new_id
from callmissed.ledger.queries import balance, newest_entries
from callmissed.platform.routes import ROUTES, Auth, Route
from callmissed.platform.tables import AUDIT, OUTBOX
from local.api_gateway.sigv4 import OPERATOR_ARN
from tests.support.operators import Operator
from tests.support.people import SignedIn
from tests.support.whole_product import Reply, Sent, WholeProduct

OF_OPERATORS = [route for route in ROUTES if route.auth is Auth.OPERATOR]
CHANGES = [route for route in OF_OPERATORS if route.method != "GET"]
PATH = "/api/v1/admin/tenants"
WHATSAPP = {"access_token": "EAAG-token", "verify_token": "blue-kettle", "allow_unsigned": True}
TWILIO = {"auth_token": "0123456789abcdef", "phone_number": "+14155550100"}


def name_of(route: Route) -> str:
    return f"{route.method} {route.path}"


async def operate(product: WholeProduct, path: str, body: object, method: str = "POST") -> Reply:
    return await Operator().call(product, method, f"{PATH}{path}", body)


async def done(product: WholeProduct, path: str, method: str = "POST", **body: object) -> dict[str, Any]:
    reply = await operate(product, path, {"reason": "asked by mail", **body}, method)
    assert reply.status in (200, 201, 202), reply.body
    return json.loads(reply.body)


async def audited(product: WholeProduct, tenant: str) -> list[dict[str, Any]]:
    return [item async for item in product.database.query(AUDIT, tenant, consistent=True)]


async def test_a_tenant_is_created(product: WholeProduct) -> None:
    made = await done(product, "", name="  Blue Kettle ", plan="starter")

    assert (made["name"], made["plan"]) == ("Blue Kettle", "starter")
    (event,) = await audited(product, made["tenant_id"])
    assert (event["action"], event["actor_kind"], event["actor_id"]) == ("tenant.create", "operator", OPERATOR_ARN)
    assert event["metadata"] == {"name": "Blue Kettle", "plan": "starter", "reason": "asked by mail"}
    assert event["ip_address"] == "127.0.0.1"


async def test_credits_are_granted_once_for_an_operation(product: WholeProduct, owner: SignedIn) -> None:
    asked = {"credits": "12.5", "operation_id": "june", "description": "hello"}
    granted = [await done(product, f"/{owner.tenant}/credits", **asked) for _ in range(2)]

    assert granted[0] == {
        "tenant_id": owner.tenant,
        "operation_id": "june",
        "granted": True,
        "amount": "12.5",
        "available": "12.5",
    }
    assert granted[1] == granted[0] | {"granted": False, "amount": "0"}
    assert (await balance(product.database, owner.tenant, product.clock())).available == 12_500_000
    (event,) = await audited(product, owner.tenant)
    assert event["metadata"] == {
        "amount": "12.5",
        "operation_id": "june",
        "description": "hello",
        "reason": "asked by mail",
    }


async def test_credits_are_adjusted_both_ways_once_for_an_operation(product: WholeProduct, owner: SignedIn) -> None:
    path = f"/{owner.tenant}/credits/adjust"
    more = await done(product, path, credits="10", operation_id="more")
    asked = {"credits": "-12.5", "operation_id": "less", "description": "a mistake"}
    less = [await done(product, path, **asked) for _ in range(2)]

    assert (more["adjusted"], more["amount"], more["available"], more["debt"]) == (True, "10", "10", "0")
    assert less[0] == {
        "tenant_id": owner.tenant,
        "operation_id": "less",
        "adjusted": True,
        "amount": "-12.5",
        "available": "0",
        "debt": "2.5",
    }
    assert less[1] == less[0] | {"adjusted": False, "amount": "0"}
    newest, _ = await newest_entries(product.database, owner.tenant, limit=10)
    assert (newest.type, newest.debit, newest.credit) == ("admin", "tenant:available", "promotion")
    events = [event for event in await audited(product, owner.tenant) if event["action"] == "credits.adjust"]
    assert [event["metadata"]["reason"] for event in events] == ["asked by mail"] * 2


@pytest.mark.parametrize(
    ("credits", "status"), [("0", 400), ("-0", 400), ("1.0000001", 422), ("NaN", 422), ("+1", 422)]
)
async def test_adjustment_that_can_not_be_is_refused(
    product: WholeProduct, owner: SignedIn, credits: str, status: int
) -> None:
    body = {"credits": credits, "operation_id": "x", "reason": "asked by mail"}
    assert (await operate(product, f"/{owner.tenant}/credits/adjust", body)).status == status


async def test_numbers_are_connected(product: WholeProduct, owner: SignedIn) -> None:
    path = f"/{owner.tenant}/integrations"
    saved = await done(product, f"{path}/whatsapp", "PUT", phone_number_id=owner.tenant, **WHATSAPP)
    assert saved["fields"] == {
        "phone_number_id": owner.tenant,
        "access_token": "EAAG••••••••oken",
        "verify_token": "blue••••••••ttle",
        "app_secret": None,
        "allow_unsigned": True,
    }
    saved = await done(product, f"{path}/twilio", "PUT", account_sid=owner.tenant, **TWILIO)
    assert saved["fields"]["auth_token"] == "0123••••••••cdef"
    events = await audited(product, owner.tenant)
    assert [(event["action"], event["resource_id"], event["metadata"]["reason"]) for event in events] == [
        ("settings.update", "whatsapp", "asked by mail"),
        ("settings.update", "twilio", "asked by mail"),
    ]


async def test_a_webhook_is_deleted(product: WholeProduct, owner: SignedIn) -> None:
    new = await owner.call("POST", "/api/v1/webhooks", {"url": "https://example.com/", "events": ["*"]})
    webhook = json.loads(new.body)["id"]

    gone = await done(product, f"/{owner.tenant}/webhooks/{webhook}/delete")

    assert gone == {"deleted": webhook, "url": "https://example.com/"}
    assert (await owner.call("GET", f"/api/v1/webhooks/{webhook}")).status == 404
    created, deleted = await audited(product, owner.tenant)
    assert (created["actor_kind"], created["actor_id"]) == ("person", owner.user.user_id)
    assert (deleted["action"], deleted["actor_id"]) == ("webhook.delete", OPERATOR_ARN)
    assert deleted["metadata"]["reason"] == "asked by mail"


async def test_an_example_of_an_event_is_published(product: WholeProduct, owner: SignedIn) -> None:
    published = await done(product, f"/{owner.tenant}/events", type="message.received")

    stored = await product.database.get(OUTBOX, {"id": published["event_id"]})
    assert (stored["tenant"], stored["type"]) == (owner.tenant, "message.received")
    (event,) = await audited(product, owner.tenant)
    assert (event["action"], event["resource_id"]) == ("event.emit", published["event_id"])
    unknown = await operate(product, f"/{owner.tenant}/events", {"type": "message.*", "reason": "x"})
    assert (unknown.status, unknown.error["code"]) == (400, "invalid_request_error")


async def test_a_key_is_created_rotated_and_revoked(product: WholeProduct, owner: SignedIn) -> None:
    path = f"/{owner.tenant}/keys"
    made = await done(product, path, name="server", scopes=["webhooks:write"], rpm=30, budget="12.5", expires_days=3)
    rotated = await done(product, f"{path}/{made['id']}/rotate", overlap_minutes=5)
    revoked = [await done(product, f"{path}/{made['id']}/revoke") for _ in range(2)]

    assert (made["scopes"], made["permissions"], made["rpm"], made["budget"]) == (["webhooks:write"], ["*"], 30, "12.5")
    assert rotated["secret"] != made["secret"]
    assert [(key["status"], "secret" in key) for key in revoked] == [("revoked", False)] * 2
    events = await audited(product, owner.tenant)
    assert [(event["action"], event["resource_id"]) for event in events] == [
        (f"key.{action}", made["id"]) for action in ("create", "rotate", "revoke")
    ]
    assert {event["metadata"]["reason"] for event in events} == {"asked by mail"}
    assert events[1]["metadata"]["overlap_minutes"] == 5
    assert made["secret"] not in str(events)


async def test_an_empty_list_of_names_never_opens(product: WholeProduct, owner: SignedIn) -> None:
    for name in ("permissions", "models", "domains"):
        reply = await operate(product, f"/{owner.tenant}/keys", {"name": "x", "reason": "x", name: []})
        assert (reply.status, reply.error["code"]) == (400, "invalid_request_error")


BODIES: dict[str, dict[str, object]] = {
    "credits": {"credits": "1", "operation_id": "x"},
    "whatsapp": {"phone_number_id": "0", **WHATSAPP},
    "twilio": {"account_sid": "0", **TWILIO},
    "events": {"type": "message.received"},
    "keys": {"name": "x"},
    "plan": {"plan": "pro"},
    "refund": {"refund_id": "x"},
    "users": {"email": "ada@example.com", "full_name": "Ada"},
}
"""Bodies by the last segment of the path, beside the reason."""


def path_of(route: Route, tenant: str) -> str:
    return (
        route.path.replace("{tenant_id}", tenant).replace("{webhook_id}", "wh_" + "0" * 24).replace("{key_id}", "key_0")
    )


@pytest.mark.parametrize("route", [route for route in OF_OPERATORS if "{tenant_id}" in route.path], ids=name_of)
async def test_an_unknown_tenant_is_not_found_and_nothing_is_written(product: WholeProduct, route: Route) -> None:
    tenant = new_id("tnt")
    body = {**BODIES.get(route.path.rpartition("/")[2], {}), "reason": "x"}

    reply = await Operator().call(product, route.method, path_of(route, tenant), body)

    assert (reply.status, reply.error["code"]) == (404, "not_found")
    assert await audited(product, tenant) == []


@pytest.mark.parametrize("reason", [{}, {"reason": " "}, {"reason": "x" * 501}], ids=["none", "empty", "too long"])
@pytest.mark.parametrize("route", CHANGES, ids=name_of)
async def test_a_reason_is_needed(
    product: WholeProduct, owner: SignedIn, route: Route, reason: dict[str, object]
) -> None:
    body = {"name": "x"} if route.path == PATH else BODIES.get(route.path.rpartition("/")[2], {})

    reply = await Operator().call(product, route.method, path_of(route, owner.tenant), body | reason)

    assert reply.status == 422
    assert await audited(product, owner.tenant) == []


@pytest.mark.parametrize("route", OF_OPERATORS, ids=name_of)
async def test_nobody_but_an_operator_is_served(product: WholeProduct, owner: SignedIn, route: Route) -> None:
    path = path_of(route, owner.tenant)
    unsigned = await product.through_local_gateway(Sent(route.method, path, (), b"{}"))
    person = await owner.call(route.method, path, {"reason": "x"})
    forged = await product.through_local_gateway(Operator(secret="guessed").signed(route.method, path, {}))

    assert (unsigned.status, unsigned.error["code"]) == (404, "not_found")
    assert (person.status, person.error["code"]) == (403, "invalid_request_error")
    assert (forged.status, forged.error["code"]) == (403, "permission_denied")


@pytest.mark.parametrize("amount", ["0", "-1", "1.0000001", "many", "1e3", "9" * 13])
async def test_amounts_that_are_none_are_refused(product: WholeProduct, owner: SignedIn, amount: str) -> None:
    body = {"credits": amount, "operation_id": "x", "reason": "x"}
    reply = await operate(product, f"/{owner.tenant}/credits", body)

    assert reply.status in (400, 422)
    assert await audited(product, owner.tenant) == []
