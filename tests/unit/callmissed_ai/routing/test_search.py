"""The search for an upstream, by what is known of routes: outages, waits that providers ask for, and speeds."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from callmissed.errors import ApiError
from callmissed_ai.routing.breaker import FAILURES_TO_OPEN, PAUSE_SECONDS
from callmissed_ai.routing.search import _HANG_SECONDS  # pyright: ignore[reportPrivateUsage]  the limit under test
from tests.support.inference.routes import Answer, ScriptedRoutes, scripted_routes

FIRST, SECOND = "first-two", "second-two"
DOWN = Answer(500)


@pytest.fixture
def routes(monkeypatch: pytest.MonkeyPatch) -> ScriptedRoutes:
    return scripted_routes(monkeypatch)


async def break_first(routes: ScriptedRoutes) -> None:
    """Calls until the first route's circuit is open."""
    routes.otherwise["first"] = DOWN
    while routes.asked.count(FIRST) < FAILURES_TO_OPEN:
        await routes.call()
    routes.forget()


async def refusal(routes: ScriptedRoutes, model: str) -> ApiError:
    with pytest.raises(ApiError) as refused:
        await routes.call(model)
    assert (refused.value.status, refused.value.code) == (503, "provider_error")
    return refused.value


@pytest.mark.parametrize("failure", [Answer(500), Answer(502), Answer(429), Answer(0)], ids=lambda each: each.status)
async def test_route_that_keeps_failing_is_asked_last(routes: ScriptedRoutes, failure: Answer) -> None:
    routes.otherwise["first"] = failure
    for _ in range(FAILURES_TO_OPEN):
        await routes.call()
    routes.forget()

    await routes.call()
    assert routes.forget() == [SECOND]
    routes.otherwise["second"] = DOWN
    await refusal(routes, "two")
    assert routes.forget() == [SECOND, SECOND, FIRST, FIRST]


@pytest.mark.parametrize("status", [401, 402, 403, 404])
async def test_settings_of_the_operator_are_no_outage(routes: ScriptedRoutes, status: int) -> None:
    routes.otherwise["first"] = Answer(status)
    for _ in range(FAILURES_TO_OPEN):
        await routes.call()
    routes.forget()

    await routes.call()
    assert routes.forget()[0] == FIRST


async def test_callers_fault_is_no_outage(routes: ScriptedRoutes) -> None:
    routes.otherwise["first"] = Answer(400)
    for _ in range(2 * FAILURES_TO_OPEN):
        with pytest.raises(ApiError):
            await routes.call()

    assert routes.forget() == [FIRST] * 2 * FAILURES_TO_OPEN


async def test_only_route_is_asked_though_it_keeps_failing(routes: ScriptedRoutes) -> None:
    routes.otherwise["first"] = DOWN
    for _ in range(FAILURES_TO_OPEN):
        await refusal(routes, "one")
    routes.forget()

    await refusal(routes, "one")
    assert routes.forget() == ["first-one"] * 2
    routes.otherwise["first"] = Answer()
    await routes.call("one")


async def test_outage_is_that_of_one_model(routes: ScriptedRoutes) -> None:
    await break_first(routes)
    routes.otherwise["first"] = Answer()

    await routes.call("one")
    assert routes.forget() == ["first-one"]


async def test_fallback_model_comes_before_a_broken_route(routes: ScriptedRoutes) -> None:
    await break_first(routes)
    routes.otherwise["second"] = DOWN

    answer = await routes.call("two", models=["other"])

    assert routes.forget() == [SECOND, SECOND, "third-other"]
    assert [(each.provider, each.outcome) for each in answer.tries] == [("second", "500")] * 2


async def test_probe_is_one_request_and_brings_the_route_back(routes: ScriptedRoutes) -> None:
    await break_first(routes)
    routes.clock.passes(PAUSE_SECONDS)

    await routes.call()
    assert routes.forget() == [FIRST, SECOND]
    await routes.call()
    assert routes.forget() == [SECOND]

    routes.otherwise["first"] = Answer()
    routes.clock.passes(2 * PAUSE_SECONDS)
    await routes.call()
    await routes.call()
    assert routes.forget() == [FIRST, FIRST]


async def test_of_many_calls_at_once_one_probes(routes: ScriptedRoutes) -> None:
    await break_first(routes)
    routes.clock.passes(PAUSE_SECONDS)
    gate = asyncio.Event()

    async def wait() -> None:
        await gate.wait()

    routes.waiting = wait
    calls = [asyncio.ensure_future(routes.call()) for _ in range(50)]
    await asyncio.sleep(0.01)
    assert sorted(routes.asked) == [FIRST, *[SECOND] * 49]
    routes.otherwise["first"] = Answer()
    gate.set()

    assert {answer.route.provider for answer in await asyncio.gather(*calls)} == {"first", "second"}
    routes.forget()
    await routes.call()
    assert routes.forget() == [FIRST]


async def test_probe_of_a_caller_who_leaves_is_left_to_the_next(routes: ScriptedRoutes) -> None:
    await break_first(routes)
    routes.clock.passes(PAUSE_SECONDS)
    routes.waiting = asyncio.Event().wait  # pyright: ignore[reportAttributeAccessIssue]  its result is not read
    call = asyncio.ensure_future(routes.call())
    await asyncio.sleep(0)
    call.cancel()
    await asyncio.gather(call, return_exceptions=True)
    routes.waiting = None
    routes.forget()

    await routes.call()
    assert routes.forget()[0] == FIRST


@pytest.mark.parametrize(("silent", "next_asked"), [(_HANG_SECONDS + 1, SECOND), (_HANG_SECONDS - 1, FIRST)])
async def test_silence_until_the_calls_own_end_is_an_outage(
    routes: ScriptedRoutes, silent: int, next_asked: str
) -> None:
    routes.waiting = asyncio.Event().wait  # pyright: ignore[reportAttributeAccessIssue]  its result is not read
    for _ in range(FAILURES_TO_OPEN):
        call = asyncio.ensure_future(routes.call())
        await asyncio.sleep(0)
        routes.clock.passes(silent)
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)
    routes.waiting = None
    routes.forget()

    await routes.call()
    assert routes.forget() == [next_asked]


@pytest.mark.parametrize("status", [429, 503, 529])
async def test_provider_that_asks_for_a_wait_is_not_asked_before(routes: ScriptedRoutes, status: int) -> None:
    routes.will("first", Answer(status, {"retry-after": "30"}))

    await routes.call()
    await routes.call()
    assert routes.forget() == [FIRST, SECOND, SECOND]
    routes.clock.passes(30)
    await routes.call()
    assert routes.forget() == [FIRST]


async def test_wait_as_a_date_is_kept_too(routes: ScriptedRoutes) -> None:
    routes.will("first", Answer(429, {"retry-after": "Fri, 27 Nov 2026 12:00:30 GMT"}))

    await routes.call()
    routes.clock.passes(20)
    await routes.call()
    assert routes.forget() == [FIRST, SECOND, SECOND]


async def test_only_route_that_asks_for_a_wait_gets_it_and_the_caller_learns_how_long(routes: ScriptedRoutes) -> None:
    routes.will("first", Answer(429, {"retry-after": "42"}))

    for asked in (["first-one"], []):
        refused = await refusal(routes, "one")
        assert refused.headers is not None
        assert refused.headers["Retry-After"] == "42"
        assert routes.forget() == asked


async def test_short_wait_is_waited_for(routes: ScriptedRoutes) -> None:
    routes.will("first", Answer(429, {"retry-after": "2"}))

    assert (await routes.call()).route.provider == "first"
    assert routes.slept == [2.0]


def rank(routes: ScriptedRoutes, speeds: Sequence[tuple[str, float, int]]) -> None:
    for route in routes.catalog.models["two"].routes:
        for provider, milliseconds, tokens in speeds:
            if provider == route.provider:
                routes.router.health.succeed(route, milliseconds)
                routes.router.health.wrote(route, tokens, 1_000)


@pytest.mark.parametrize(
    ("fields", "asked"),
    [
        ({}, FIRST),
        ({"provider": {"sort": "latency"}}, SECOND),
        ({"provider": {"sort": "throughput"}}, FIRST),
        ({"provider": {"sort": "price"}}, FIRST),
        ({"provider": {"sort": "latency", "order": ["first"]}}, FIRST),
    ],
)
async def test_fastest_route_is_asked_first(routes: ScriptedRoutes, fields: dict[str, Any], asked: str) -> None:
    rank(routes, [("first", 900, 200), ("second", 100, 50)])

    await routes.call(**fields)
    assert routes.forget() == [asked]


@pytest.mark.parametrize(("suffix", "asked"), [("nitro", SECOND), ("floor", FIRST)])
async def test_suffix_sorts(routes: ScriptedRoutes, suffix: str, asked: str) -> None:
    rank(routes, [("first", 100, 50), ("second", 900, 200)])

    await routes.call(f"two:{suffix}")
    assert routes.forget() == [asked]


async def test_speed_that_is_not_known_comes_last(routes: ScriptedRoutes) -> None:
    rank(routes, [("second", 9_000, 1)])

    for sort in ("latency", "throughput"):
        await routes.call(provider={"sort": sort})
        assert routes.forget() == [SECOND]


async def test_newer_samples_weigh_more(routes: ScriptedRoutes) -> None:
    rank(routes, [("first", 100, 1), ("second", 500, 1)])
    routes.will("first", *[Answer(takes=2)] * 5)

    for _ in range(5):
        await routes.call()
    routes.forget()
    await routes.call(provider={"sort": "latency"})

    assert routes.forget() == [SECOND]


FLAGGED = Answer(403, says="openai/gpt-5.4 requires moderation. Your input was flagged.")
NO_PROVIDER = Answer(404, says="No allowed providers are available for the selected model.")
WISH = {"provider": {"order": ["deepinfra"]}}


async def test_flagged_input_is_the_callers_to_change(routes: ScriptedRoutes) -> None:
    routes.otherwise["openrouter"] = FLAGGED

    with pytest.raises(ApiError) as refused:
        await routes.call("both")

    assert (refused.value.status, refused.value.code) == (400, "content_policy_violation")
    assert routes.forget() == ["openrouter-both"]


async def test_wish_that_fits_no_provider_is_the_callers_to_change(routes: ScriptedRoutes) -> None:
    routes.otherwise["openrouter"] = NO_PROVIDER

    with pytest.raises(ApiError) as refused:
        await routes.call("wide", **WISH)

    assert (refused.value.status, refused.value.code, refused.value.param) == (400, "no_matching_provider", "provider")
    assert routes.forget() == ["openrouter-wide"]


async def test_wish_that_fits_no_provider_leaves_other_routes(routes: ScriptedRoutes) -> None:
    routes.otherwise["openrouter"] = NO_PROVIDER

    answer = await routes.call("both", **WISH)

    assert answer.route.provider == "second"
    assert [each.outcome for each in answer.tries] == ["404"]
    routes.otherwise["second"] = DOWN
    with pytest.raises(ApiError) as refused:
        await routes.call("both", **WISH)
    assert refused.value.status == 503


@pytest.mark.parametrize(
    ("answer", "fields"),
    [
        (NO_PROVIDER, {}),
        (NO_PROVIDER, {"provider": {"max_price": {"prompt": 1000}}}),
        (Answer(404, says="No endpoints found for a/b."), WISH),
        (Answer(404), WISH),
        (Answer(403), WISH),
    ],
)
async def test_other_refusals_of_openrouter_are_the_operators(
    routes: ScriptedRoutes, answer: Answer, fields: dict[str, Any]
) -> None:
    routes.otherwise["openrouter"] = answer

    with pytest.raises(ApiError) as refused:
        await routes.call("wide", **fields)

    assert (refused.value.status, refused.value.code) == (503, "provider_error")
