"""A function serves the route that API Gateway authorised, or 404, however a parameter of the path is spelled."""

import json
import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field

import pytest
import pytest_asyncio
from starlette.types import Receive, Scope, Send

from callmissed.errors import ApiError
from callmissed.platform.routes import ROUTES, Auth, Route
from callmissed.settings import CoreSettings
from callmissed.web.gateway_route import RESOURCE, GatewayRoute
from local.api_gateway.resources import find_route, resources
from local.aws.tables import StageTables
from tests.support.inference.gateway import PEPPER, Accounts
from tests.support.operators import Operator
from tests.support.people import new_tenant
from tests.support.webhooks.callbacks import SEALING
from tests.support.whole_product import Sent, WholeProduct

VALUES = (
    "a%2Fdeliveries",
    "a%2fdeliveries%2fb",
    "a%2Ftest",
    "%2Fapi%2Fv1%2Fwebhooks",
    "event%2Dtypes",
    "%61ccess",
    "EVENT-TYPES",
    "%2e%2e",
    "..",
    "%2e%2e%2f%2e%2e%2fhealthz",
    "..%2Fgeneration",
    "a%252Fdeliveries",
    "a%5Cdeliveries",
    "a\\deliveries",
    "a;deliveries",
    "a%3Bb",
    "a%3Fb",
    "a%23b",
    "a%00b",
    "a%0Ab",
    "%ff%fe",
    "%C3%28",
    "%ED%A0%80",
    "%",
    "%zz",
    "a/",
    "/a",
    "a//b",
    "%20",
    "*",
    "${aws:username}",
)
OF_PARAMETERS = [route for route in ROUTES if "{" in route.path]
PARAMETERS = sorted({name for route in OF_PARAMETERS for name in re.findall(r"\{[^}]+\}", route.path)})
NOT_FOUND = ("not_found", "model_not_found", "response_not_found", "file_not_found")
TEMPLATES = resources(ROUTES)


@dataclass
class Served:
    """Which route was served for which resource of API Gateway."""

    pairs: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Served:
    served, handle = Served(), GatewayRoute.handle

    async def recording(route: GatewayRoute, scope: Scope, receive: Receive, send: Send) -> None:
        served.pairs.append((route.resource, scope[RESOURCE]))
        await handle(route, scope, receive, send)

    monkeypatch.setattr(GatewayRoute, "handle", recording)
    return served


@pytest_asyncio.fixture(scope="module")
async def product(module_tables: StageTables) -> AsyncIterator[WholeProduct]:
    settings = CoreSettings(
        stage=module_tables.stage,
        region="us-east-1",
        dynamodb_endpoint=module_tables.endpoint,
        peppers=PEPPER.hex(),
        sealing_keys=SEALING,
    )
    product = WholeProduct(settings)
    yield product
    await product.close()


@pytest_asyncio.fixture(scope="module")
async def access_token(product: WholeProduct) -> str:
    return (await new_tenant(product)).tokens.access


@pytest_asyncio.fixture(scope="module")
async def secret(product: WholeProduct) -> str:
    accounts = Accounts(product.dynamodb, product.database.stage)
    return (await accounts.account(scopes=frozenset({"*"}))).secret  # a test key is 403 where a provider is asked


def paths_of(route: Route) -> Iterator[str]:
    """Paths with each hostile value in the place of each parameter, `a` in the others."""
    for parameter in PARAMETERS:
        if parameter in route.path:
            for value in VALUES:
                path = route.path.replace(parameter, value)
                for other in PARAMETERS:
                    path = path.replace(other, "a")
                yield path


def is_a_route(method: str, path: str) -> bool:
    try:
        find_route(TEMPLATES, method, path)
    except ApiError:
        return False
    return True


@pytest.mark.parametrize("route", OF_PARAMETERS, ids=lambda route: f"{route.method} {route.path}")
async def test_hostile_parameter_leads_to_no_other_route(
    product: WholeProduct, secret: str, access_token: str, served: Served, route: Route
) -> None:
    shown = access_token if route.auth is Auth.SESSION else secret
    headers = () if route.auth is Auth.PUBLIC else (("Authorization", f"Bearer {shown}"),)
    for path in paths_of(route):
        sent = Sent(route.method, path, headers, b"" if route.method == "GET" else b"{}")
        if route.auth is Auth.OPERATOR:
            sent = Operator().signed(route.method, path, {})
        replies = [await product.through_local_gateway(sent)]
        if is_a_route(route.method, path):
            replies.append(await product.through_api_gateway(sent))
        for reply in replies:
            assert reply.status in (404, 422), path
            assert "details" in reply.error or reply.error["code"] in NOT_FOUND, path
    assert [pair for pair in served.pairs if pair[0] != pair[1]] == []
    assert served.pairs, "the walk reached no route"


@pytest.mark.parametrize("resolved", ["/v1/generation", "/v1/models", "/healthz", "/_snapstart/after"])
async def test_path_that_the_adapter_resolved_is_no_other_route(
    product: WholeProduct, secret: str, served: Served, resolved: str
) -> None:
    sent = Sent("GET", "/v1/models/%2e%2e/x", (("Authorization", f"Bearer {secret}"),), query="id=gen_1")

    assert (await product.through_api_gateway(sent, resolved)).status == 404
    assert served.pairs == []


async def test_model_ids_may_hold_slashes(product: WholeProduct) -> None:
    listed = await product.through_api_gateway(Sent("GET", "/api/v1/models"))
    slashed = next(model["id"] for model in json.loads(listed.body)["data"] if "/" in model["id"])

    for path in (slashed, slashed.replace("/", "%2F")):
        for through in (product.through_api_gateway, product.through_local_gateway):
            assert (await through(Sent("GET", f"/api/v1/models/{path}"))).status == 200
