"""Parsers of option values."""

import pytest
import typer

from callmissed.money import parse_credits
from cli.option_parsers import credit_amount, name_list


@pytest.mark.parametrize(("text", "micro"), [("12.5", 12_500_000), ("0.000001", 1), ("0", 0), ("1e3", 1_000_000_000)])
def test_credits_are_read_exactly(text: str, micro: int) -> None:
    assert credit_amount(text) == micro


@pytest.mark.parametrize("text", ["", "ten", "0.0000001", "NaN", "inf", "-1", "1e12", "1e30", "1e9999999", "1,5"])
def test_a_text_that_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(typer.BadParameter):
        credit_amount(text)


def test_a_number_of_credits_that_is_none_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="not a number"):
        parse_credits("ten")


def test_names_are_separated_by_commas() -> None:
    assert name_list(" llm, stt,,tts ") == {"llm", "stt", "tts"}
    assert name_list(" , ") == frozenset()
