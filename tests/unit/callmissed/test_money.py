"""Money is exact: rounded half up once, and the same after it was shown and read again."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from callmissed.money import CREDIT, PER_MILLION, ceiling, cost, credits, parse_credits, show

UNITS = st.integers(0, 10**9)
PRICES = st.integers(0, 10**12)
TERMS = st.lists(st.tuples(UNITS, PRICES), max_size=6)
AMOUNTS = st.integers(-(10**20), 10**20)

plain = settings(deadline=None)


def exact(terms: list[tuple[int, int]]) -> Fraction:
    return sum((Fraction(units * price, PER_MILLION) for units, price in terms), Fraction(0))


@plain
@given(TERMS)
def test_a_cost_is_the_exact_sum_rounded_half_up_once(terms: list[tuple[int, int]]) -> None:
    whole, rest = divmod(exact(terms), 1)

    assert cost(*terms) == whole + (1 if rest >= Fraction(1, 2) else 0)


@plain
@given(st.integers(0, 10**12))
def test_a_half_is_rounded_up_and_what_lies_below_it_down(whole: int) -> None:
    half = whole * PER_MILLION + PER_MILLION // 2

    assert (cost((1, half)), cost((1, half - 1))) == (whole + 1, whole)
    assert (cost((1, half), (0, 5)), cost((1, half - 1), (1, 1))) == (whole + 1, whole + 1)


def test_rounding_is_of_the_sum_and_not_of_its_terms() -> None:
    assert cost((1, 400_000), (1, 400_000), (1, 400_000)) == 1
    assert [cost((1, 400_000)), cost(), ceiling()] == [0, 0, 0]


@plain
@given(st.lists(st.tuples(UNITS, PRICES, st.fractions(0, 1)), max_size=6))
def test_no_smaller_use_costs_more_than_the_ceiling(terms: list[tuple[int, int, Fraction]]) -> None:
    most = [(units, price) for units, price, _ in terms]
    fewer = [(int(units * part), price) for units, price, part in terms]

    assert cost(*fewer) <= cost(*most) <= ceiling(*most)
    assert 0 <= ceiling(*most) - exact(most) < 1


@plain
@given(AMOUNTS)
def test_what_is_shown_reads_as_the_same_amount(amount: int) -> None:
    text = show(amount)

    assert parse_credits(text) == amount
    assert Fraction(text) == Fraction(amount, CREDIT)
    assert set(text) <= set("-0123456789.")


@pytest.mark.parametrize(
    ("amount", "text"),
    [(0, "0"), (35, "0.000035"), (12_500_000, "12.5"), (10**12, "1000000"), (-1, "-0.000001"), (CREDIT, "1")],
)
def test_amounts_as_people_read_them(amount: int, text: str) -> None:
    assert show(amount) == text


@pytest.mark.parametrize(
    ("text", "amount"),
    [("5", 5 * CREDIT), ("0.000001", 1), ("-2.5", -2_500_000), ("1e3", 1000 * CREDIT), ("1.50000000", 1_500_000)],
)
def test_numbers_of_credits(text: str, amount: int) -> None:
    assert parse_credits(text) == amount


@pytest.mark.parametrize(
    "text",
    ["", " ", "many", "1,5", "1.2.3", "--1", "0x10", "1 000", "₹5", "NaN", "sNaN", "Infinity", "-Infinity", "1/3"],
)
def test_what_is_no_number_of_credits(text: str) -> None:
    with pytest.raises(ValueError, match="credits"):
        parse_credits(text)


@plain
@given(st.integers(0, 10**18), st.integers(6, 60))
def test_a_decimal_beyond_the_sixth_is_refused_however_small(whole: int, zeros: int) -> None:
    with pytest.raises(ValueError, match="credits"):
        parse_credits(f"{whole}.{'0' * zeros}1")


@pytest.mark.parametrize("text", ["1e33", "1e999999", "9" * 39, "1e-999999"])
def test_amounts_that_no_table_can_hold_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="credits"):
        parse_credits(text)


@plain
@given(AMOUNTS)
def test_credits_in_json_are_the_nearest_float(amount: int) -> None:
    assert credits(amount) == float(Decimal(amount) / CREDIT)
