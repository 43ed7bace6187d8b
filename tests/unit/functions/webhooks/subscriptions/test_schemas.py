"""The schema of a webhook says no more than what is checked."""

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from callmissed.errors import ApiError
from callmissed.http.urls import checked_url
from functions.webhooks.subscriptions.schemas import URL_PATTERN

CHARACTERS = "abz019.-:/?[]@%&=~_!$'()*+,;#\\ \n"


@settings(deadline=None, max_examples=500)
@given(
    st.sampled_from(["https://", "HTTPS://", "http://", "ftp://", "https:/", ""]),
    st.sampled_from(["hooks.example.com", "localhost", "[::1]", "8.8.8.8", "a@b.c", "", "ü.example"]),
    st.text(CHARACTERS, max_size=20),
)
@example("https://", "hooks.example.com", ":8443/a%2Fb?c=%2F+%20&d=[1]")
@example("https://", "hooks.example.com", "?x")
def test_a_url_that_is_accepted_fits_the_documented_pattern(scheme: str, host: str, rest: str) -> None:
    url = f"{scheme}{host}{rest}"
    try:
        checked_url(url, allow_loopback=True)
    except ApiError:
        return
    assert re.search(URL_PATTERN, url)


@pytest.mark.parametrize(
    "url", ["ftp://a.example/", "https://a@b.example/", "https://a.example/#x", "https://a b/", "0"]
)
def test_the_documented_pattern_refuses_what_no_url_may_be(url: str) -> None:
    assert not re.search(URL_PATTERN, url)
