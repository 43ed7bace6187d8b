"""The 404 of a path that no route has."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callmissed.keys.secret import Mode, new_secret
from callmissed.web.unknown_route import unknown_route

KEY = new_secret(Mode.LIVE)


@pytest.mark.parametrize(
    ("method", "path", "meant"),
    [
        ("POST", "/v1/chat/completion", "POST /v1/chat/completions"),
        ("POST", "/v1/chat/completions/", "POST /v1/chat/completions"),
        ("GET", "/v1/chat/completions", "POST /v1/chat/completions"),
        ("POST", "/chat/completions", "POST /v1/chat/completions"),
        ("POST", "/v1/v1/chat/completions", "POST /v1/chat/completions"),
        ("POST", "/V1/Chat/Completions", "POST /v1/chat/completions"),
        ("POST", "/v1/embedding", "POST /v1/embeddings"),
        ("GET", "/models", "GET /v1/models"),
        ("GET", "/api/v1/webhooks/", "GET /api/v1/webhooks"),
        ("POST", "/api/v1/webhook", "POST /api/v1/webhooks"),
        ("GET", "/api/v1/webhooks/wh_1/delivery", "GET /api/v1/webhooks/{webhook_id}/deliveries"),
        ("PATCH", "/api/v1/webhooks/wh_1", "GET /api/v1/webhooks/{webhook_id}"),
        ("GET", "/v1/generations", "GET /v1/generation"),
    ],
)
def test_the_route_that_was_meant_is_named(method: str, path: str, meant: str) -> None:
    error = unknown_route(method, path)

    assert (error.status, error.code) == (404, "not_found")
    assert error.message == f"There is no such route: {method} {path}. Did you mean {meant}?"


@pytest.mark.parametrize("path", ["/", "/favicon.ico", "/wp-login.php", "/x"])
def test_a_path_like_no_route_gets_no_advice(path: str) -> None:
    assert unknown_route("GET", path).message == f"There is no such route: GET {path}."


@pytest.mark.parametrize(
    "secret", [KEY, KEY[:20], "sk-proj-abc", "whsec_AAEC", "x" * 33, "gsk_1", "eyJhbGciOi", "a b"], ids=len
)
def test_no_secret_is_shown(secret: str) -> None:
    for path in (f"/v1/{secret}", f"/{secret}/v1/models", f"/v1/chat/completions/{secret}"):
        message = unknown_route("POST", path).message
        assert secret not in message
        assert "…" in message
    assert secret not in unknown_route(secret, "/v1").message


@given(st.text(max_size=10), st.text(max_size=5000))
def test_the_message_is_bounded_and_one_line(method: str, path: str) -> None:
    message = unknown_route(method, path).message

    assert len(message) < 300
    assert message.isprintable()
