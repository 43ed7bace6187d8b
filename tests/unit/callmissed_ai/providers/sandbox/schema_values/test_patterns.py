import pytest

from callmissed_ai.providers.sandbox.schema_values.patterns import is_tame
from tests.support.inference.schemas import PATTERNS, PROMPT, TEXT, filled, obj


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("prompt", [PROMPT, ""])
def test_fills_a_pattern(pattern, prompt):
    filled(obj(a=TEXT | {"pattern": pattern}), prompt)


def test_a_pattern_and_a_length():
    assert len(filled(TEXT | {"pattern": "^[a-z]+$", "minLength": 12, "maxLength": 12})) == 12


@pytest.mark.parametrize("pattern", [*PATTERNS, "a*b", "(a|b){2,9}", "(red|green|blue) x{3}"])
def test_tame_patterns_are_the_usual_ones(pattern):
    assert is_tame(pattern) is (pattern not in {r"(a+)+$"})


@pytest.mark.parametrize(
    "pattern",
    [
        "(a+)+$",
        "(a|aa)+$",
        "(?:ab|ab)" * 30 + "x",
        "a*" * 4 + "b",
        "(a*){3}b",
        "(a?){50}a{50}",
        "((a{1000}){1000}){1000}b*b*b*b*",
        "(?=a)b",
        "(unclosed",
    ],
)
def test_costly_patterns_are_not_tame(pattern):
    assert not is_tame(pattern)


def test_a_word_of_the_prompt_is_taken_where_it_matches_the_pattern():
    assert filled(obj(order=TEXT | {"pattern": "^[A-Z]{2}[0-9]{4}$"}), "Where is AB1234?") == {"order": "AB1234"}
