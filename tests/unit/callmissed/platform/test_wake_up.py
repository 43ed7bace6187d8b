"""The call that keeps a snapshot is answered, and costs nothing."""

from typing import Any

import pytest

from callmissed.platform.functions import AUTHORIZER, FUNCTIONS, INFERENCE, WEBHOOKS_API, Function
from callmissed.platform.functions.wake_up import wake_up_event
from callmissed.platform.routes import ROUTES, Auth
from functions.auth.handlers import authorizer
from functions.webhooks.handlers import api

PUBLIC = {(route.function, route.path) for route in ROUTES if route.auth is Auth.PUBLIC and route.method == "GET"}


@pytest.mark.parametrize("function", [each for each in FUNCTIONS if each.snap_start], ids=lambda each: each.name)
def test_wake_up_is_a_request_of_a_public_route_or_a_schedule(function: Function) -> None:
    event = wake_up_event(function)
    assert event == {"schedule": "wake-up"} or (function.name, event["resource"]) in PUBLIC
    assert (function is AUTHORIZER) == ("schedule" in event)


def test_web_app_gets_what_the_adapter_passes_on() -> None:
    event = wake_up_event(INFERENCE)
    assert event["requestContext"]["resourcePath"] == event["resource"] == event["path"] == "/api/v1/models"


def test_authorizer_wakes_up_without_a_key() -> None:
    assert authorizer.handler(wake_up_event(AUTHORIZER), None) == {}


def test_webhooks_api_answers_its_wake_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CALLMISSED_SEALING_KEYS", "00" * 32)
    context: Any = None
    assert api.handler(wake_up_event(WEBHOOKS_API), context)["statusCode"] == 200
