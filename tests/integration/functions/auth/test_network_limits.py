"""Every public route of accounts has the limit for each network that the contract lists."""

import asyncio

import pytest

from callmissed.platform.functions import AUTH_API
from callmissed.platform.routes import ROUTES, Auth
from tests.support.sign_in import SignInPages

LIMITS = {
    "register": 5,
    "register/verify": 10,
    "login": 10,
    "google": 10,
    "refresh": 10,
    "logout": 10,
    "otp/send": 5,
    "otp/login": 10,
    "reset-password": 5,
    "2fa/verify": 10,
    "2fa/recovery/request": 5,
    "2fa/recovery/confirm": 5,
    "passkey/login/verify": 10,
}
"""Requests in any 60 seconds, by route."""

PREFIX = "/api/v1/auth/"
PUBLIC = [
    route.path.removeprefix(PREFIX)
    for route in ROUTES
    if (route.function, route.auth, route.method) == (AUTH_API.name, Auth.PUBLIC, "POST")
    if route.path.startswith(PREFIX)
]


def test_no_public_route_is_without_a_limit() -> None:
    assert set(PUBLIC) <= set(LIMITS)


@pytest.mark.parametrize("path", PUBLIC)
async def test_network_is_limited_in_any_minute(pages: SignInPages, path: str) -> None:
    """Requests that nothing can come of count too."""
    place, limit = f"192.0.2.{PUBLIC.index(path)}", LIMITS[path]
    answered = await asyncio.gather(*(pages.post(path, {}, ip_address=place) for _ in range(limit)))
    pages.clock.pass_seconds(30)

    refused = [await pages.post(path, {}, ip_address=place) for _ in range(2)]
    elsewhere = await pages.post(path, {}, ip_address="198.51.100.1")
    pages.clock.pass_seconds(29.5)
    too_early = await pages.post(path, {}, ip_address=place)
    pages.clock.pass_seconds(1)
    again = await pages.post(path, {}, ip_address=place)

    assert {reply.status for reply in (*answered, elsewhere, again)} == {422}
    assert [(reply.status, reply.headers["retry-after"]) for reply in refused] == [(429, "30")] * 2
    assert (too_early.status, too_early.headers["retry-after"]) == (429, "1")
    pages.clock.pass_seconds(61)


async def test_addresses_of_one_household_are_one_network(pages: SignInPages) -> None:
    places = ["2001:db8:1:2::1", "2001:db8:1:2:ffff::2", "2001:db8:1:2:3:4:5:6"]
    statuses = [(await pages.post("otp/send", {}, ip_address=places[number % 3])).status for number in range(6)]
    other = await pages.post("otp/send", {}, ip_address="2001:db8:1:3::1")

    assert statuses == [422] * 5 + [429]
    assert other.status == 422
