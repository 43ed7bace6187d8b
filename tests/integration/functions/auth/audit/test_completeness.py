"""Every route that changes something leaves an event, in the transaction of the change: a walk over the route table.

The slice bots has this test of its own, beside its numbers and conversations.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from callmissed.clock import SECOND, Micros, iso, system_clock
from callmissed.platform.functions import BOTS_API, CONVERSATION_DRAFTS
from callmissed.platform.routes import ROUTES, Auth, Role, Route
from callmissed.platform.tables import (
    AUDIT,
    CHALLENGES,
    IDEMPOTENCY,
    KEYS,
    LIMITS,
    TABLES,
    WALLETS,
    physical_name,
)
from callmissed.platform.tenant_data import Purge
from tests.support.authenticator import SoftwareAuthenticator
from tests.support.operators import Operator
from tests.support.people import new_member
from tests.support.second_factor import FactorOwner, new_factor_owner
from tests.support.sign_in import CONSOLE, PASSWORD, SignInPages
from tests.support.whole_product import Reply, WholeProduct

ME, ADMIN, WEBHOOK = "/api/v1/tenants/me", "/api/v1/admin/tenants/{tenant_id}", "/api/v1/webhooks/{webhook_id}"
KEY, AUTH, SETTINGS = "/api/v1/keys/{key_id}", "/api/v1/auth", "/api/v1/settings"
WHATSAPP = {"phone_number_id": "{tenant_id}", "access_token": "token", "verify_token": "kettle"}
TWILIO = {"account_sid": "{tenant_id}", "auth_token": "token", "phone_number": "+14155550100"}
ROUTES_WITHOUT_CHANGES = {
    f"POST {AUTH}/2fa/setup",
    f"POST {AUTH}/passkey/register/options",
    f"POST {KEY}/reveal/request",
    f"POST {KEY}/reveal/verify",
    *(f"POST {SETTINGS}/{provider}/verify" for provider in ("whatsapp", "twilio", "sarvam")),
    f"POST {WEBHOOK}/test",
    "POST /api/v1/admin/prices/preview",
}
"""They write what expires by itself, or nothing."""

PURCHASES = {
    *(f"POST /api/v1/payments/{name}" for name in ("create-order", "verify", "retry", "downgrade")),
    f"POST {ADMIN}/plan",
    "POST /api/v1/admin/payments/{order_id}/refund",
}
"""They need a payment gateway, or a plan: tests of billing have both. Orders, plans and refunds leave an event; what
settles an order leaves entries in the ledger."""

IMPORT_OF_PRICES = "POST /api/v1/admin/prices/import"
"""It needs a providers file: tests of billing have one. The event is written before the file."""

REPLAY_OF_A_DELIVERY = f"POST {WEBHOOK}/deliveries/{{delivery_id}}/replay"
"""It needs a delivery: tests/integration/functions/webhooks/subscriptions/test_audit.py has one."""

CHANGES: Sequence[tuple[str, Any]] = [
    (f"PATCH {AUTH}/me", {"full_name": "Grace"}),
    (f"POST {AUTH}/2fa/enable", {"code": "{code}"}),
    (f"POST {AUTH}/2fa/backup-codes/regenerate", {"code": "{code}"}),
    (f"POST {AUTH}/2fa/disable", {"password": PASSWORD, "code": "{code}"}),
    (f"POST {AUTH}/passkey/register/verify", {"credential": "{credential}"}),
    (f"PATCH {AUTH}/passkey/{{passkey_id}}", {"name": "mine"}),
    (f"DELETE {AUTH}/passkey/{{passkey_id}}", None),
    (f"DELETE {AUTH}/sessions/{{session_id}}", None),
    (f"DELETE {AUTH}/sessions", None),
    ("POST /api/v1/keys", {"name": "first"}),
    (f"PUT {KEY}", {"name": "second"}),
    (f"PATCH {KEY}", {"name": "third"}),
    (f"POST {KEY}/rotate", {"overlap_hours": 1}),
    (f"DELETE {KEY}", None),
    (f"PUT {SETTINGS}/whatsapp", WHATSAPP),
    (f"PUT {SETTINGS}/twilio", TWILIO),
    (f"PUT {SETTINGS}/sarvam", {"api_key": "token"}),
    ("POST /api/v1/users", {"email": "{tenant_id}@example.com", "full_name": "Ada"}),
    ("PUT /api/v1/users/{user_id}", {"full_name": "Ada Byron"}),
    ("PATCH /api/v1/users/{user_id}/role", {"role": "admin"}),
    ("DELETE /api/v1/users/{user_id}", None),
    (f"PATCH {ME}", {"name": "Blue Kettle"}),
    ("PUT /api/v1/credits/budget", {"monthly_budget_credits": 50}),
    ("POST /api/v1/admin/coupons", {"code": "WELCOME", "credits": "5", "max_redemptions": 1}),
    ("POST /api/v1/coupons/redeem", {"code": "welcome"}),
    ("POST /api/v1/admin/coupons/{code}/disable", {}),
    ("POST /api/v1/webhooks", {"url": "https://example.com/", "events": ["*"]}),
    (f"PUT {WEBHOOK}", {"description": "CRM"}),
    (f"POST {WEBHOOK}/rotate", {}),
    (f"POST {WEBHOOK}/recover", {}),
    (f"POST {WEBHOOK}/replays", {"since": "{since}"}),
    (f"DELETE {WEBHOOK}", None),
    ("POST /api/v1/webhooks", {"url": "https://example.com/", "events": ["*"]}),
    (f"POST {ADMIN}/webhooks/{{webhook_id}}/delete", {}),
    (f"POST {ME}/deactivate", None),
    (f"POST {ME}/reactivate", None),
    ("POST /api/v1/admin/tenants", {"name": "Tests"}),
    (f"POST {ADMIN}/credits", {"credits": "1", "operation_id": "june"}),
    (f"POST {ADMIN}/credits/adjust", {"credits": "-0.5", "operation_id": "july"}),
    (f"POST {ADMIN}/keys", {"name": "server"}),
    (f"POST {ADMIN}/keys/{{key_id}}/rotate", {}),
    (f"POST {ADMIN}/keys/{{key_id}}/revoke", {}),
    (f"PUT {ADMIN}/integrations/whatsapp", WHATSAPP),
    (f"PUT {ADMIN}/integrations/twilio", TWILIO),
    (f"POST {ADMIN}/users", {"email": "{tenant_id}@example.org", "full_name": "Ada"}),
    (f"POST {ADMIN}/users/{{user_id}}/deactivate", {}),
    (f"POST {ADMIN}/events", {"type": "message.received"}),
    (f"POST {ADMIN}/suspend", {}),
    (f"POST {ADMIN}/reactivate", {}),
]
"""Routes in the order of the walk, with bodies. A name in braces is replaced by what the walk has found so far."""

BOOKKEEPING = {LIMITS.name, CHALLENGES.name, IDEMPOTENCY.name}
LATER = {KEYS.name, WALLETS.name}
"""Tables to which a change of a tenant's status is copied after the transaction of the record."""
_NAME = re.compile(r"\{(\w+)\}")


def name_of(route: Route) -> str:
    return f"{route.method} {route.path}"


def test_walk_has_every_route_that_changes_something() -> None:
    kinds = (Auth.SESSION, Auth.ACCOUNT, Auth.OPERATOR)
    here = [
        route
        for route in ROUTES
        if route.auth in kinds and route.function not in (BOTS_API.name, CONVERSATION_DRAFTS.name)
    ]
    changing = {name_of(route) for route in here if route.method != "GET"}
    assert {name for name, _ in CHANGES} | ROUTES_WITHOUT_CHANGES | PURCHASES | {
        REPLAY_OF_A_DELIVERY,
        IMPORT_OF_PRICES,
    } == changing


@dataclass
class Writes:
    """Tables of each write, in order."""

    of_stage: str
    tables: list[set[str]] = field(default_factory=list[set[str]])

    def record(self, operation: str, payload: bytes) -> None:
        request = json.loads(payload)
        if operation == "TransactWriteItems":
            parts = [part[kind] for part in request["TransactItems"] for kind in part if kind != "ConditionCheck"]
            self.tables.append({self._name(part) for part in parts})
        elif operation in ("PutItem", "UpdateItem", "DeleteItem"):
            self.tables.append({self._name(request)})

    def _name(self, part: dict[str, Any]) -> str:
        return str(part["TableName"]).removeprefix(physical_name(self.of_stage, AUDIT).removesuffix(AUDIT.name))

    def take(self) -> list[set[str]]:
        """The writes since the last look, without bookkeeping."""
        taken, self.tables = self.tables, []
        return [tables for tables in taken if not tables <= BOOKKEEPING]


def watch(product: WholeProduct) -> Writes:
    """The product's writes from now on."""
    writes, send = Writes(product.database.stage), product.dynamodb.send

    async def sending(operation: str, payload: bytes) -> dict[str, Any]:
        writes.record(operation, payload)
        return await send(operation, payload)

    product.dynamodb.send = sending
    return writes


@dataclass
class Walk:
    """A person who calls the routes one by one, and what was found on the way."""

    person: FactorOwner
    found: dict[str, Any]

    @property
    def product(self) -> WholeProduct:
        return self.person.person.product

    async def prepare(self, name: str) -> str:
        """Get ready what the route needs; returns the query."""
        if name.endswith("2fa/enable"):
            self.person.secret = (await self.person.post("2fa/setup"))["secret"]
        if "2fa/" in name:
            self.person.pages.clock.pass_seconds(90)
            self.found["code"] = self.person.code()
        if "sessions" in name:
            await self.person.other_session()
            others = [each for each in await self.person.get("sessions") if not each["is_current"]]
            self.found["session_id"] = others[0]["id"]
        if name.endswith("register/verify"):
            begun = await self.person.post("passkey/register/options")
            self.found["credential"] = SoftwareAuthenticator(CONSOLE).create(begun["options"])
            return f"registration_token={begun['registration_token']}"
        if name == f"POST {ADMIN}/users/{{user_id}}/deactivate":
            self.found["user_id"] = (await new_member(self.person.person, Role.AGENT)).user.user_id
        return ""

    async def call(self, name: str, body: Any, query: str) -> Reply:
        method, path = self._filled(name).split(" ")
        if path.startswith("/api/v1/admin"):
            return await Operator().call(self.product, method, path, {"reason": "asked", **self._filled(body)})
        return await self.person.person.call(method, path, self._filled(body), query=query)

    def keep(self, name: str, reply: Reply) -> None:
        """Remember ids that the reply shows."""
        made = json.loads(reply.body or b"{}")
        kind = {"usr_": "user_id", "key_": "key_id", "psk_": "passkey_id"}.get(str(made.get("id"))[:4])
        if name == "POST /api/v1/admin/coupons":
            self.found["code"] = made["code"]
        if name == "POST /api/v1/webhooks":
            kind = "webhook_id"
        if kind:
            self.found[kind] = made["id"]

    def _filled(self, value: Any) -> Any:
        if isinstance(value, dict):
            filled: dict[str, Any] = {name: self._filled(each) for name, each in value.items()}  # pyright: ignore[reportUnknownVariableType] -- JSON
            return filled
        if not isinstance(value, str):
            return value
        whole = _NAME.fullmatch(value)
        return self.found[whole[1]] if whole else _NAME.sub(lambda name: self.found[name[1]], value)


async def test_every_change_leaves_an_event_in_its_transaction(pages: SignInPages) -> None:
    person = await new_factor_owner(pages)
    walk = Walk(person, {"tenant_id": person.person.tenant, "since": iso(Micros(system_clock() - 3600 * SECOND))})
    writes, faults = watch(pages.product), dict[str, Any]()
    for name, body in CHANGES:
        query = await walk.prepare(name)
        writes.take()
        reply = await walk.call(name, body, query)
        assert reply.status in (200, 201, 202, 204), (name, reply.body)
        first, *later = writes.take() or [set[str]()]
        if AUDIT.name not in first or any(not tables <= LATER for tables in later):
            faults[name] = (first, later)
        walk.keep(name, reply)
    assert faults == {}
    assert await tables_with_items_elsewhere(pages.product, person.person.tenant) == set()


async def tables_with_items_elsewhere(product: WholeProduct, tenant: str) -> set[str]:
    """Tables that a deletion would clear by the tenant's partition, although other partitions name the tenant."""
    return {
        table.name
        for table in TABLES
        if table.tenant_data.purge is Purge.PARTITION
        async for item in product.database.scan(table)
        if item[table.partition_key] != tenant and tenant in str(item)
    }
