"""Bounds of bots: what is too large is refused, and large configurations are compared in time."""

import time
from typing import Any

import pytest

from functions.bots.bots.credentials import MASK, kept
from tests.support.bots.bots_api import NEW, BotTenant, refused


@pytest.mark.parametrize(
    ("prompt", "config", "place"),
    [
        ("", {"n" * 20_000: {f"{n}token": 1 for n in range(2_000)}}, ["body", "config"]),
        ("😀" * 50_000, {"e_token": "x" * 60_000} | {f"{n}token": 1 for n in range(300)}, None),
        ("😀" * 50_000, {"k" * 40: {f"{n:04}token": 1 for n in range(1_500)}}, ["body", "config"]),
        ("", {"x": [{f"{'k' * 50}{n}secret": "v" for n in range(300)}]}, None),
        ("😀" * 50_000, {"secret": "😀" * 15_000}, None),
    ],
    ids=["long path", "many and large", "many", "few", "emoji"],
)
async def test_large_bot_is_stored_or_refused(
    tenant: BotTenant, prompt: str, config: dict[str, Any], place: list[str] | None
) -> None:
    answer = await tenant.call("POST", json={**NEW, "system_prompt": prompt, "config": config})

    if place is None:
        assert answer.status_code == 201, answer.text
    else:
        assert refused(answer, 422, "invalid_request_error")["details"][0]["loc"] == place


async def test_bot_that_grows_by_its_kept_credentials_is_refused(tenant: BotTenant) -> None:
    bot = await tenant.bot(config={"0secret": "x" * 60_000})
    config = bot["config"]
    answers: list[int] = []
    for number in range(1, 8):
        config = {**config, f"{number}secret": "x" * 60_000}
        answer = await tenant.call("PUT", f"/{bot['id']}", json={"config": config})
        answers.append(answer.status_code)
        config = dict.fromkeys(config, MASK)

    assert answers == [200, 200, 200, 422, 422, 422, 422]


def test_list_of_many_elements_is_compared_in_time() -> None:
    one = {"x": [1] * 30_000}
    begun = time.process_time()
    kept(one, {}, one, {})
    assert time.process_time() - begun < 2


def test_equal_elements_keep_the_values_of_their_places() -> None:
    element = {"token": MASK}
    stored, earlier = {"x": [element, element]}, {("x", 0, "token"): "first", ("x", 1, "token"): "second"}
    shown = {"x": [{"name": "new"}, element, element]}
    values = {("x", 1, "token"): MASK, ("x", 2, "token"): MASK}

    found = kept(shown, values, stored, earlier)

    assert found == {("x", 1, "token"): "second", ("x", 2, "token"): "first"}
