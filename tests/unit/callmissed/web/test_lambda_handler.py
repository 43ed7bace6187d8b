"""Events in a normal form: whatever a caller or a proxy wrote, an application gets a scope."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mangum.types import LambdaContext
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from callmissed.web.lambda_handler import LambdaHandler, normalized
from tests.support.lambda_events import answer_event

REMOVED = ("Host", "X-Forwarded-Port", "x-forwarded-proto", "Forwarded", "X-HTTP-Method-Override", "Content-Length")
names = st.sampled_from((*REMOVED, "Authorization", "X-Any", "Cookie")) | st.text(min_size=1, max_size=5)
many = st.dictionaries(names, st.lists(st.text(max_size=20), max_size=3), max_size=5)


def event_with(headers: Any, query: Any = None) -> dict[str, Any]:
    return {
        "resource": "/api/v1/things/{thing}",
        "path": "/api/v1/things/a%2Fb",
        "httpMethod": "GET",
        "multiValueHeaders": headers,
        "multiValueQueryStringParameters": query,
        "requestContext": {"identity": {"sourceIp": "203.0.113.7"}},
    }


class Recorder:
    """An application that keeps the scope of its last request."""

    scope: Scope

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scope = scope
        await Response("ok")(scope, receive, send)


@given(many, st.none() | many)
async def test_any_headers_and_query_reach_the_application(
    headers: dict[str, list[str]], query: dict[str, list[str]] | None
) -> None:
    app = Recorder()

    assert (await answer_event(app, event_with(headers, query)))["statusCode"] == 200

    seen = Headers(scope=app.scope)
    assert not [name for name in REMOVED if name.lower() in seen]
    assert (app.scope["scheme"], app.scope["path"]) == ("https", "/api/v1/things/a/b")
    assert app.scope["resource"] == "/api/v1/things/{thing}"


async def test_values_stay_in_order_one_by_one_and_trimmed() -> None:
    app = Recorder()

    await answer_event(app, event_with({"X-Any": [" 1\t", "2, 3"], "x-any": ["4"]}))

    assert Headers(scope=app.scope).getlist("x-any") == ["1", "2, 3", "4"]


@pytest.mark.parametrize("headers", [None, {}])
def test_event_may_have_single_values_only(headers: dict[str, list[str]] | None) -> None:
    single = {"headers": {"X-Any": "1"}, "queryStringParameters": {"a": "b"}}

    made = normalized(event_with(headers) | single)

    assert made["multiValueHeaders"] == {"x-any": ["1"]}
    assert made["multiValueQueryStringParameters"] == {"a": ["b"]}


async def test_handler_serves_an_event(monkeypatch: pytest.MonkeyPatch) -> None:
    class Answering:
        """Takes the place of Mangum, which needs a loop that does not run."""

        def __init__(self, _app: object, *, lifespan: str) -> None:
            assert lifespan == "off"

        def __call__(self, event: dict[str, Any], context: object) -> tuple[dict[str, Any], object]:
            return event, context

    monkeypatch.setattr("callmissed.web.lambda_handler.Mangum", Answering)

    handler: Any = LambdaHandler(Recorder())

    event, context = handler(event_with({"Host": ["[::1"]}), LambdaContext)

    assert event["multiValueHeaders"] == {}
    assert context is LambdaContext
