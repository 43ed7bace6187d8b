"""Nobody speaks for another tenant through a callback: a walk over the routes that providers call."""

from collections.abc import Callable, Mapping
from functools import partial

import pytest

from callmissed.platform.functions import CALLBACKS_API
from callmissed.platform.routes import ROUTES, Auth, Route
from tests.support.webhooks.callbacks import (
    APP_SECRET,
    CASHFREE,
    CASHFREE_SECRET,
    DOMAIN,
    STATUS,
    TOKEN,
    VOICE,
    WHATSAPP,
    CallbacksApi,
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

SERVED = [route for route in ROUTES if route.function == CALLBACKS_API.name]
POSTED = [route for route in SERVED if route.method == "POST"]
HANDSHAKE = ("GET", WHATSAPP)
STRANGERS_SECRET = "e" * 32
PLATFORM = "@platform"

Signed = Callable[[str], tuple[bytes, dict[str, str]]]
"""A callback about what is the owner's, signed with a secret."""


def from_meta(secret: str) -> tuple[bytes, dict[str, str]]:
    body = body_of(change("owners", messages=[message("wamid.1")]))
    return body, by_meta(body, secret)


def from_twilio(path: str, secret: str) -> tuple[bytes, dict[str, str]]:
    return by_twilio(f"https://{DOMAIN}/prod{path}", call_form(AccountSid="AC-owner"), secret)


def from_cashfree(secret: str) -> tuple[bytes, dict[str, str]]:
    return payment(), by_cashfree(payment(), secret=secret)


CALLBACKS: Mapping[tuple[str, str], tuple[Signed, str]] = {
    ("POST", WHATSAPP): (from_meta, APP_SECRET),
    ("POST", VOICE): (partial(from_twilio, VOICE), TOKEN),
    ("POST", STATUS): (partial(from_twilio, STATUS), TOKEN),
    ("POST", CASHFREE): (from_cashfree, CASHFREE_SECRET),
}


async def owner_and_stranger(callbacks_api: CallbacksApi) -> str:
    """Connect two tenants with both providers; returns the first one's id."""
    owner = await callbacks_api.save(whatsapp_credentials("owners"))
    await callbacks_api.save(twilio_credentials(account_sid="AC-owner"), owner)
    secret = {"app_secret": STRANGERS_SECRET, "verify_token": "strangers"}
    stranger = await callbacks_api.save(whatsapp_credentials("strangers", **secret))
    await callbacks_api.save(twilio_credentials(account_sid="AC-stranger", auth_token=STRANGERS_SECRET), stranger)
    return owner


def test_every_route_has_its_check() -> None:
    assert {(route.method, route.path) for route in SERVED} == {*CALLBACKS, HANDSHAKE}
    assert {route.auth for route in SERVED} == {Auth.SIGNED}


@pytest.mark.parametrize("route", POSTED, ids=lambda route: route.path)
async def test_a_strangers_secret_signs_nothing_of_the_owners(callbacks_api: CallbacksApi, route: Route) -> None:
    owner = await owner_and_stranger(callbacks_api)
    signed, owners_secret = CALLBACKS[route.method, route.path]

    refused = await callbacks_api.post(route.path, *signed(STRANGERS_SECRET))

    assert (refused.status, refused.code) == (401, "invalid_signature")
    assert await callbacks_api.outbox() == []
    assert (await callbacks_api.post(route.path, *signed(owners_secret))).status in (200, 204)
    assert [item["tenant"] for item in await callbacks_api.outbox()] == [PLATFORM if route.path == CASHFREE else owner]


@pytest.mark.parametrize("route", POSTED, ids=lambda route: route.path)
async def test_without_a_signature_nothing_is_stored(callbacks_api: CallbacksApi, route: Route) -> None:
    await owner_and_stranger(callbacks_api)
    signed, owners_secret = CALLBACKS[route.method, route.path]
    body, headers = signed(owners_secret)
    unsigned = {name: value for name, value in headers.items() if "signature" not in name.lower()}

    answers = [await callbacks_api.post(route.path, body, unsigned), await callbacks_api.post(route.path, *signed(""))]

    assert {answer.status for answer in answers} == {401}
    assert await callbacks_api.outbox() == []


async def test_a_handshake_does_not_reveal_whose_token_it_was(callbacks_api: CallbacksApi) -> None:
    await owner_and_stranger(callbacks_api)
    asked = [("hub.mode", "subscribe"), ("hub.challenge", "1158")]

    answers = [
        await callbacks_api.call(*HANDSHAKE, query=[*asked, ("hub.verify_token", token)])
        for token in ("blue-kettle", "strangers")
    ]

    assert {(answer.status, answer.text) for answer in answers} == {(200, "1158")}
