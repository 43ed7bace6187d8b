"""A function serves the route that API Gateway chose, or none, however a path is spelled."""

from collections.abc import Awaitable, Callable
from urllib.parse import unquote, urljoin

import pytest
from fastapi import APIRouter, FastAPI
from hypothesis import example, given
from hypothesis import strategies as st
from starlette.responses import PlainTextResponse, Response
from starlette.types import Message, Scope

from callmissed.errors import ApiError
from callmissed.platform.routes import ROUTES, Route
from callmissed.web.gateway_route import RESOURCE, GatewayRoute
from local.api_gateway.resources import find_route, resources

PIECES = ("v1", "api", "models", "access", "webhooks", "event-types", "deliveries", "test", "replays", "wh_1")
MARKS = ("%2F", "%2f", "%252F", "%5C", "%2e%2e", "%2E%2E", "%2e", "..", "%00", "%0A", "%ff", "%C3%28", ";", "%3B")
SPELLINGS = ("event%2Dtypes", "EVENT-TYPES", "%61ccess", "deliveries%2F..", "%u002F", "%", "%2", "caf%C3%A9", " ", "")

segments = st.lists(st.sampled_from((*PIECES, *MARKS, *SPELLINGS)), min_size=1, max_size=3).map("".join)
paths = st.sampled_from(("/v1", "/api/v1", "/api/v1/webhooks", "/v1/models")).flatmap(
    lambda start: st.lists(segments, max_size=4).map(lambda parts: "/".join((start, *parts)))
)
TEMPLATES = resources(ROUTES)


def served_templates() -> FastAPI:
    """An application with every route of the table; each answers with its own template."""
    api = FastAPI(openapi_url=None, redirect_slashes=False)
    router = APIRouter(route_class=GatewayRoute)
    for route in ROUTES:
        router.add_api_route(route.path.replace("+}", ":path}"), _answer(route), methods=[route.method])
    api.include_router(router)
    return api


def _answer(route: Route) -> Callable[[], Awaitable[Response]]:
    async def answer() -> Response:
        return PlainTextResponse(route.path)

    return answer


API = served_templates()


async def served(method: str, path: str, **more: str) -> tuple[int, str]:
    """Status and text of an answer of `API` to the decoded `path`."""
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b""}

    async def send(message: Message) -> None:
        sent.append(message)

    scope: Scope = {"type": "http", "method": method, "path": path, "headers": [], "query_string": b"", **more}
    await API(scope, receive, send)
    return sent[0]["status"], b"".join(message.get("body", b"") for message in sent[1:]).decode()


def chosen(method: str, path: str) -> str | None:
    try:
        return find_route(TEMPLATES, method, path)[0].path
    except ApiError:
        return None


def as_an_adapter_sends(path: str) -> str:
    """`path` as the Lambda Web Adapter's URL library writes it: `..` is resolved, also percent-encoded."""
    dotted = path.replace("%2e", ".").replace("%2E", ".").replace("%5C", "/")
    return urljoin("http://127.0.0.1:8080/", dotted).removeprefix("http://127.0.0.1:8080").partition("?")[0]


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
@given(path=paths)
@example(path="/api/v1/webhooks/wh_1%2Fdeliveries")
@example(path="/api/v1/webhooks/event%2Dtypes")
@example(path="/v1/models/%2e%2e/generation")
@example(path="/api/v1/models/%61ccess")
async def test_served_route_is_the_chosen_one_or_none(method: str, path: str) -> None:
    resource = chosen(method, path)
    for seen in (path, as_an_adapter_sends(path)):
        status, text = await served(method, unquote(seen), **{RESOURCE: resource or ""})
        assert (status, text) == (200, resource) or status in (404, 405), seen


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
async def test_route_is_served_when_it_was_chosen_and_without_a_gateway(route: Route) -> None:
    path = route.path.replace("{model_id+}", "openai/gpt-5.5").replace("{", "").replace("}", "")

    assert await served(route.method, path, **{RESOURCE: route.path}) == (200, route.path)
    assert await served(route.method, path) == (200, route.path)


async def test_model_ids_may_hold_slashes_of_either_spelling() -> None:
    for path in ("/v1/models/lab/with/slashes", "/v1/models/lab%2Fwith%2Fslashes"):
        resource = chosen("GET", path)
        assert resource == "/v1/models/{model_id+}"
        assert await served("GET", unquote(path), **{RESOURCE: resource}) == (200, resource)
