"""Money is exact: rounded half up once, and the same after it was shown and read again."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from callmissed.money import CREDIT, PER_MILLION, MicroCredits, Term, ceiling, cost, credits, parse_credits, show

UNITS = st.integers(0, 10**9)
PRICES = st.integers(0, 10**12)
PERS = st.sampled_from([1, 10_000, 1_000_000, 3_600_000]) | st.integers(1, 10**7)
TERMS = st.lists(st.tuples(UNITS, PRICES, PERS), max_size=6)
AMOUNTS = st.integers(-(10**20), 10**20)

plain = settings(deadline=None)


def exact(terms: list[Term]) -> Fraction:
    return sum((Fraction(units * price, per) for units, price, per in terms), Fraction(0))


@plain
@given(TERMS)
def test_a_cost_is_the_exact_sum_rounded_half_up_once(terms: list[Term]) -> None:
    whole, rest = divmod(exact(terms), 1)

    assert cost(*terms) == whole + (1 if rest >= Fraction(1, 2) else 0)


@plain
@given(st.integers(0, 10**12))
def test_a_half_is_rounded_up_and_what_lies_below_it_down(whole: int) -> None:
    half = whole * PER_MILLION + PER_MILLION // 2

    def of(*prices: int) -> int:
        return cost(*((1, price, PER_MILLION) for price in prices))

    assert (of(half), of(half - 1)) == (whole + 1, whole)
    assert (of(half, 0), of(half - 1, 1)) == (whole + 1, whole + 1)


def test_rounding_is_of_the_sum_and_not_of_its_terms() -> None:
    term = (1, 400_000, PER_MILLION)
    assert cost(term, term, term) == 1
    assert [cost(term), cost(), ceiling()] == [0, 0, 0]


def test_terms_of_several_denominators_are_summed_before_they_are_rounded() -> None:
    second_of_audio, three_characters = (1_000, 1_200, 3_600_000), (3, 500, 10_000)

    assert [cost(second_of_audio), cost(three_characters)] == [0, 0]
    assert cost(second_of_audio, three_characters, (1, 7, 60)) == 1
    assert ceiling(second_of_audio, three_characters, (2, 5, 1)) == 11


@plain
@given(st.lists(st.tuples(UNITS, PRICES, PERS, st.fractions(0, 1)), max_size=6))
def test_no_smaller_use_costs_more_than_the_ceiling(terms: list[tuple[int, int, int, Fraction]]) -> None:
    most = [(units, price, per) for units, price, per, _ in terms]
    fewer = [(int(units * part), price, per) for units, price, per, part in terms]

    assert cost(*fewer) <= cost(*most) <= ceiling(*most)
    assert 0 <= ceiling(*most) - exact(most) < 1


@plain
@given(AMOUNTS)
def test_what_is_shown_reads_as_the_same_amount(amount: int) -> None:
    text = show(MicroCredits(amount))

    assert parse_credits(text) == amount
    assert Fraction(text) == Fraction(amount, CREDIT)
    assert set(text) <= set("-0123456789.")


@pytest.mark.parametrize(
    ("amount", "text"),
    [(0, "0"), (35, "0.000035"), (12_500_000, "12.5"), (10**12, "1000000"), (-1, "-0.000001"), (CREDIT, "1")],
)
def test_amounts_as_people_read_them(amount: int, text: str) -> None:
    assert show(MicroCredits(amount)) == text


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
    assert credits(MicroCredits(amount)) == float(Decimal(amount) / CREDIT)
