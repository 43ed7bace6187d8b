"""The plans' figures, and what "unlimited" means."""

import dataclasses

import pytest

from callmissed.plans.plans import UNLIMITED, ModelAccess, Plan, limits

MB = 1024 * 1024


@pytest.mark.parametrize(
    ("plan", "llm", "speech", "images", "conversations", "storage", "team", "rpm", "voice", "price"),
    [
        ("free", 100, 50, 50, 50, 100 * MB, 2, 60, 1, 0),
        ("starter", 5_000, 2_500, 500, 1_000, 1024 * MB, 5, 500, 5, 999),
        ("pro", 50_000, 25_000, 5_000, 10_000, 10 * 1024 * MB, 20, 3_000, 20, 4_999),
        *[("enterprise", *[UNLIMITED] * 6, 10_000, UNLIMITED, 20_000)],
    ],
)
def test_limits_are_those_of_the_price_list(
    plan: str,
    llm: int,
    speech: int,
    images: int,
    conversations: int,
    storage: int,
    team: int,
    rpm: int,
    voice: int,
    price: int,
) -> None:
    found = limits(plan)

    assert found.monthly_quotas == {"llm": llm, "stt": speech, "tts": speech, "image": images, "search": UNLIMITED}
    assert (found.conversations, found.storage_bytes, found.team_members) == (conversations, storage, team)
    assert (found.default_rpm, found.voice_concurrency, found.monthly_price_inr) == (rpm, voice, price)


def test_only_the_free_plan_is_kept_to_the_free_list() -> None:
    assert [plan for plan in Plan if not limits(plan).allows(free=False)] == [Plan.FREE]
    assert all(limits(plan).allows(free=True) for plan in Plan)
    assert limits(Plan.ENTERPRISE).model_access is ModelAccess.ALL_AND_CUSTOM


def test_unlimited_is_a_number_that_no_month_reaches() -> None:
    calls_per_month = 10_000 * 60 * 24 * 31

    assert calls_per_month * 1_000_000 < UNLIMITED


def test_limits_can_not_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        limits(Plan.FREE).default_rpm = 1  # type: ignore[misc]


def test_an_unknown_plan_is_an_error() -> None:
    with pytest.raises(ValueError, match="platinum"):
        limits("platinum")
