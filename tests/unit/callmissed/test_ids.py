"""Call ids: what is in them, that they sort by time, and what is none."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from callmissed.clock import MINUTE, Micros
from callmissed.ids import MAX_LIFETIME_MINUTES, expires_at, is_call_id, new_call_id, new_id, started_at

NOVEMBER = Micros(1_794_787_200_123_456)
MOMENTS = st.integers(0, 2**45 * 1000)
LIFETIMES = st.integers(1, MAX_LIFETIME_MINUTES)
RANDOM = st.integers(0, 2**60 - 1)
CROCKFORD = set("0123456789ABCDEFGHJKMNPQRSTVWXYZ")

plain = settings(deadline=None)


@plain
@given(MOMENTS, LIFETIMES, RANDOM)
def test_an_id_has_its_start_to_the_millisecond_and_its_holds_end(now: int, lifetime: int, random: int) -> None:
    call_id = new_call_id(Micros(now), lifetime, random)

    assert started_at(call_id) == now // 1000 * 1000
    assert expires_at(call_id) == started_at(call_id) + lifetime * MINUTE
    assert is_call_id(call_id)
    assert set(call_id) <= CROCKFORD


@plain
@given(MOMENTS, MOMENTS, LIFETIMES, LIFETIMES, RANDOM, RANDOM)
def test_ids_sort_by_the_millisecond_in_which_their_calls_start(
    one: int, other: int, lifetime: int, other_lifetime: int, random: int, other_random: int
) -> None:
    earlier, later = (
        new_call_id(Micros(one), lifetime, random),
        new_call_id(Micros(other), other_lifetime, other_random),
    )

    if one // 1000 != other // 1000:
        assert (earlier < later) == (one < other)


@plain
@given(RANDOM, RANDOM)
def test_ids_of_one_moment_differ_exactly_when_their_randomness_does(random: int, other: int) -> None:
    assert (new_call_id(NOVEMBER, 10, random) == new_call_id(NOVEMBER, 10, other)) == (random == other)


def test_an_id_is_spelled_as_crockford_does() -> None:
    assert new_call_id(Micros(0), 1, 0) == "000000000001000000000000"
    assert new_call_id(Micros(31_000), 32, 2**60 - 1) == "000000000Z10ZZZZZZZZZZZZ"
    assert new_call_id(Micros(1_000), MAX_LIFETIME_MINUTES, 31) == "0000000001ZZ00000000000Z"


def test_randomness_is_drawn_when_none_is_given() -> None:
    ids = {new_call_id(NOVEMBER, 10) for _ in range(200)}

    assert len(ids) == 200
    assert {started_at(call_id) for call_id in ids} == {NOVEMBER // 1000 * 1000}


@pytest.mark.parametrize("lifetime", [-1, 0, MAX_LIFETIME_MINUTES + 1, 10**6])
def test_a_lifetime_that_an_id_can_not_carry_is_refused(lifetime: int) -> None:
    with pytest.raises(ValueError, match=f"1 to {MAX_LIFETIME_MINUTES} minutes"):
        new_call_id(NOVEMBER, lifetime)


@pytest.mark.parametrize("letter", ["I", "L", "O", "U", "a", "z", "-", " ", "\n", "é", "１"])  # noqa: RUF001
def test_other_letters_make_no_id(letter: str) -> None:
    sound = new_call_id(NOVEMBER, 10)

    assert not is_call_id(sound[:-1] + letter)
    assert not is_call_id(letter + sound[1:])


def test_other_lengths_make_no_id() -> None:
    sound = new_call_id(NOVEMBER, 10)

    assert not any(map(is_call_id, ["", sound[:-1], sound + "0", sound * 2]))


def test_other_ids_carry_their_prefix_and_never_repeat() -> None:
    ids = [new_id("tnt") for _ in range(200)]

    assert len(set(ids)) == 200
    for prefix, _, rest in (found.partition("_") for found in ids):
        assert (prefix, len(bytes.fromhex(rest))) == ("tnt", 12)
