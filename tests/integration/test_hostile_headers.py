"""A header that a proxy, the gateway or a hostile caller may have written changes no answer of any route."""

import json
from collections.abc import AsyncIterator, Callable, Mapping
from unittest.mock import AsyncMock

import pytest
import pytest_asyncio

from callmissed.clock import system_clock
from callmissed.ids import new_id
from callmissed.integrations.repository import Integrations
from callmissed.keys.secret import Mode
from callmissed.platform.routes import ROUTES, Auth, Route
from callmissed.rate_limits import SlidingWindows
from callmissed.sealing import Sealer
from callmissed.settings import CoreSettings
from local.aws.tables import StageTables
from tests.support.billing.gateway_account import GATEWAY_ACCOUNT
from tests.support.inference.gateway import PEPPER, Accounts
from tests.support.people import new_tenant
from tests.support.webhooks.callbacks import (
    CASHFREE,
    SEALING,
    STATUS,
    VOICE,
    WHATSAPP,
    body_of,
    by_cashfree,
    by_meta,
    by_twilio,
    call_form,
    change,
    message,
    payment,
    twilio_credentials,
    whatsapp_credentials,
)
from tests.support.whole_product import HeaderList, Reply, Sent, WholeProduct

PUBLIC_URL = "https://tunnel.example.com"
JSON = ("Content-Type", "application/json")
LONG = "x" * 3_000

HOSTILE: Mapping[str, HeaderList] = {
    "host of an IPv6 address": [("Host", "[::1]:8000")],
    "host without its bracket": [("Host", "[::1")],
    "host with a port": [("Host", "evil.example:99999")],
    "host with a path": [("Host", "evil.example/v1/models?x=")],
    "host of garbage": [("Host", "\xff\x7f @:%2F#")],
    "empty host": [("Host", "")],
    "long host": [("Host", LONG)],
    "two hosts": [("Host", "a.example"), ("Host", "b.example:1")],
    "scheme of a tunnel": [("X-Forwarded-Proto", "https")],
    "schemes of two proxies": [("X-Forwarded-Proto", "https,http"), ("X-Forwarded-Proto", "http")],
    "scheme of garbage": [("X-Forwarded-Proto", "javascript://x/[")],
    "port of a tunnel": [("X-Forwarded-Port", "443")],
    "port of garbage": [("X-Forwarded-Port", "x")],
    "host and port": [("Host", "127.0.0.1"), ("X-Forwarded-Port", "8000, 443")],
    "client's address": [("X-Forwarded-For", "10.0.0.1, [::1], unknown"), ("X-Real-IP", "::1")],
    "forwarded host": [("X-Forwarded-Host", "evil.example"), ("X-Original-Host", "evil.example")],
    "prefix": [("X-Forwarded-Prefix", "/admin"), ("X-Script-Name", "/admin")],
    "forwarded": [("Forwarded", "for=[::1];host=evil.example;proto=gopher")],
    "original URL": [("X-Original-URL", "/v1/models"), ("X-Rewrite-URL", "/api/v1/webhooks")],
    "method override": [
        ("X-HTTP-Method-Override", "DELETE"),
        ("X-HTTP-Method", "DELETE"),
        ("X-Method-Override", "DELETE"),
    ],
    "chunked": [("Transfer-Encoding", "chunked, identity")],
    "connection": [("Connection", "upgrade, authorization"), ("Upgrade", "h2c"), ("TE", "trailers")],
    "length of garbage": [("Content-Length", "+5")],
    "length of other digits": [("Content-Length", "\xb2")],
    "expectation": [("Expect", "100-continue"), ("Via", "1.1 a"), ("Proxy-Authorization", "Basic eDp5")],
    "context of the adapter": [("X-Amzn-Request-Context", '{"resourcePath": "/v1/models"}')],
    "headers of Lambda": [("X-Amzn-Trace-Id", "Root=1"), ("X-Amzn-Lambda-Context", "{}")],
    "white space": [("X-Any", " \t padded \t ")],
    "bytes": [("X-Any", "\x80\xff"), ("User-Agent", "\xff" * 20), ("Accept", "*/*;q=x"), ("Cookie", "a=b; a=c")],
    "repeated": [("X-Any", "1"), ("X-Any", "2"), ("User-Agent", "a"), ("User-Agent", "b")],
    "languages": [("Accept-Language", "*;q=" + LONG), ("Accept-Encoding", "gzip, br")],
}


def together(sets: Mapping[str, HeaderList]) -> Mapping[str, HeaderList]:
    """The same headers in fewer requests: sets that share no header are sent as one."""
    joined: dict[str, HeaderList] = {}
    for name, headers in sets.items():
        names = {header for header, _ in headers}
        fits = (other for other, sent in joined.items() if names.isdisjoint(header for header, _ in sent))
        other = next(fits, "")
        joined[f"{other}, {name}" if other else name] = (*joined.pop(other, ()), *headers)
    return joined


JOINED = together(HOSTILE)


@pytest_asyncio.fixture(scope="module")
async def product(module_tables: StageTables) -> AsyncIterator[WholeProduct]:
    settings = CoreSettings(
        stage=module_tables.stage,
        region="us-east-1",
        dynamodb_endpoint=module_tables.endpoint,
        peppers=PEPPER.hex(),
        sealing_keys=SEALING,
        public_url=PUBLIC_URL,
        console_url="https://console.example.com",
        google_client_ids="tests",
    )
    product = WholeProduct(settings)
    yield product
    await product.close()


@pytest_asyncio.fixture(scope="module")
async def secret(product: WholeProduct) -> str:
    """A test key with every scope, of a tenant who is connected to WhatsApp and Twilio."""
    accounts = Accounts(product.dynamodb, product.database.stage)
    account = await accounts.account(mode=Mode.TEST, scopes=frozenset({"*"}))
    for credentials in (twilio_credentials(), whatsapp_credentials()):
        sealer = Sealer((bytes.fromhex(SEALING),))
        await Integrations(product.database).save(account.tenant, credentials, sealer, system_clock())
    return account.secret


@pytest_asyncio.fixture
async def access_token(product: WholeProduct, request: pytest.FixtureRequest) -> str:
    """Of the owner of a tenant of its own, as some routes deactivate it; empty for a route that no session may use."""
    route: Route | None = request.node.callspec.params["route"] if hasattr(request.node, "callspec") else None
    return (await new_tenant(product)).tokens.access if route is None or route.auth is Auth.SESSION else ""


@pytest.fixture(autouse=True)
def no_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hundreds of requests come from one address, and the same answer is expected each time."""

    async def first(*_: object) -> int:
        return 1

    async def none(*_: object) -> int:
        return 0

    monkeypatch.setattr(SlidingWindows, "count", first)
    monkeypatch.setattr(SlidingWindows, "wait", none)


@pytest.fixture(autouse=True)
def payment_gateway(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in GATEWAY_ACCOUNT.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(autouse=True)
def unlimited(monkeypatch: pytest.MonkeyPatch) -> None:
    """The walk asks public routes more often than their limits allow one network."""
    monkeypatch.setattr(SlidingWindows, "count", AsyncMock(return_value=0))


def from_meta() -> Sent:
    body = body_of(change(messages=[message(new_id("wamid"))]))
    return Sent("POST", WHATSAPP, tuple(by_meta(body).items()), body)


def from_twilio(path: str) -> Sent:
    body, headers = by_twilio(f"{PUBLIC_URL}{path}?bot=a%20b", call_form())
    return Sent("POST", path, tuple(headers.items()), body, "bot=a%20b")


def from_cashfree() -> Sent:
    return Sent("POST", CASHFREE, tuple(by_cashfree(payment(), system_clock()).items()), payment())


CALLBACKS: Mapping[tuple[str, str], Callable[[], Sent]] = {
    ("GET", WHATSAPP): lambda: Sent(
        "GET", WHATSAPP, query="hub.mode=subscribe&hub.verify_token=blue-kettle&hub.challenge=%F0%9F%91%8B"
    ),
    ("POST", WHATSAPP): from_meta,
    ("POST", VOICE): lambda: from_twilio(VOICE),
    ("POST", STATUS): lambda: from_twilio(STATUS),
    ("POST", CASHFREE): from_cashfree,
}
BODIES: Mapping[str, object] = {
    "/v1/chat/completions": {"model": "sandbox", "messages": [{"role": "user", "content": "Hello"}]},
    "/v1/embeddings": {"model": "sandbox-embedding", "input": "Hello"},
    "/v1/audio/speech": {"model": "sandbox-tts", "input": "Hello", "response_format": "wav"},
    "/api/v1/webhooks": {"url": 5},
}


def request_for(route: Route, secret: str, access_token: str) -> list[Sent]:
    """Requests that the route serves, and refuses."""
    if callback := CALLBACKS.get((route.method, route.path)):
        return [callback(), Sent(route.method, route.path)]
    shown = access_token if route.auth is Auth.SESSION else secret
    headers = [JSON] if route.auth is Auth.PUBLIC else [JSON, ("Authorization", f"Bearer {shown}")]
    path = route.path.replace("{model_id+}", "sandbox").replace("{", "").replace("}", "")
    body = b"" if route.method == "GET" else json.dumps(BODIES.get(route.path, {})).encode()
    whole = Sent(route.method, path, headers, body)
    broken = b"" if route.method == "GET" else b"{"
    return [whole, Sent(route.method, path, headers, broken, "category=x&limit=x&since=x")]


def shape(reply: Reply) -> object:
    """What is the same in each answer to a request: not ids, times and rates that are left."""
    if reply.body and reply.headers["content-type"] == "application/json":
        body = json.loads(reply.body)
        if isinstance(body, dict) and body.get("error"):
            return reply.status, {name: value for name, value in body["error"].items() if name != "request_id"}
        return reply.status, sorted(body) if isinstance(body, dict) else body
    return reply.status, reply.headers.get("content-type"), reply.body


UNSIGNED = [route for route in ROUTES if route.auth is not Auth.OPERATOR]
"""Operators sign their headers: `tests/integration/local/api_gateway/test_sigv4.py`."""
FIRST = {(route.function, route.auth, route.method): route for route in reversed(UNSIGNED)}
"""A route of each kind: what a set of headers does alone, it does before a route's own code or in its kind's."""


async def assert_same_answers(product: WholeProduct, sent: Sent, sets: Mapping[str, HeaderList]) -> None:
    for through in (product.through_local_gateway, product.through_api_gateway):
        expected = shape(await through(sent))
        answers = {name: shape(await through(sent.with_headers(headers))) for name, headers in sets.items()}
        assert answers == dict.fromkeys(sets, expected), through


@pytest.mark.parametrize("route", UNSIGNED, ids=lambda route: f"{route.method} {route.path}")
async def test_hostile_headers_change_no_answer(
    product: WholeProduct, secret: str, access_token: str, route: Route
) -> None:
    for sent in request_for(route, secret, access_token):
        await assert_same_answers(product, sent, JOINED)


@pytest.mark.parametrize("route", FIRST.values(), ids=lambda route: f"{route.method} {route.path}")
async def test_hostile_header_alone_changes_no_answer(
    product: WholeProduct, secret: str, access_token: str, route: Route
) -> None:
    for sent in request_for(route, secret, access_token):
        await assert_same_answers(product, sent, HOSTILE)


async def test_the_walk_meets_answers_of_each_kind(product: WholeProduct, secret: str, access_token: str) -> None:
    statuses = {
        (await product.through_api_gateway(sent)).status
        for route in UNSIGNED
        if route.path != "/api/v1/auth/google"  # 503, as no client of Google is configured here
        for sent in request_for(route, secret, access_token)
    }

    assert {200, 204, 400, 401, 404, 422} <= statuses
    assert not {status for status in statuses if status >= 500}


async def test_signed_call_through_a_tunnel_is_accepted(product: WholeProduct, secret: str) -> None:
    headers = [(name, "tunnel.example.com") for name in ("Host", "X-Forwarded-Host")]
    headers += [("X-Forwarded-Proto", "https"), ("X-Forwarded-For", "203.0.113.7")]

    reply = await product.through_local_gateway(from_twilio(VOICE).with_headers(headers))

    assert (reply.status, reply.headers["content-type"]) == (200, "text/xml; charset=utf-8")
