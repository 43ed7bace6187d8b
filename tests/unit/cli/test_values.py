"""How options are read, and how failures are told."""

import pytest
import typer

from callmissed.aws.dynamodb import RequestRefused, Unavailable
from callmissed.errors import ApiError
from callmissed.money import parse_credits
from callmissed.settings import CoreSettings
from cli.failures import CommandError, explain
from cli.values import credits, names

DEPLOYED = CoreSettings(stage="prod", region="eu-west-1")
DESK = CoreSettings(dynamodb_endpoint="http://127.0.0.1:9")


@pytest.mark.parametrize(("text", "micro"), [("12.5", 12_500_000), ("0.000001", 1), ("0", 0), ("1e3", 1_000_000_000)])
def test_credits_are_read_exactly(text: str, micro: int) -> None:
    assert credits(text) == micro


@pytest.mark.parametrize("text", ["", "ten", "0.0000001", "NaN", "inf", "-1", "1e12", "1e30", "1e9999999", "1,5"])
def test_what_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(typer.BadParameter):
        credits(text)


def test_a_number_of_credits_that_is_none_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="not a number"):
        parse_credits("ten")


def test_names_are_separated_by_commas() -> None:
    assert names(" llm, stt,,tts ") == {"llm", "stt", "tts"}
    assert names(" , ") == frozenset()


@pytest.mark.parametrize(
    ("error", "settings", "told"),
    [
        (ApiError(404, "not_found", "No such tenant."), DEPLOYED, "No such tenant."),
        (CommandError("two\n  lines"), None, "two lines"),
        (RequestRefused("ResourceNotFoundException: no"), DEPLOYED, "There is no stage 'prod' in eu-west-1."),
        (
            RequestRefused("AccessDeniedException: you"),
            DEPLOYED,
            "DynamoDB refuses the request: AccessDeniedException: you",
        ),
        (
            Unavailable("connection refused", indeterminate=False),
            DESK,
            "DynamoDB in http://127.0.0.1:9 does not answer: connection refused",
        ),
        (OSError(), None, "OSError"),
    ],
)
def test_a_failure_is_told_in_one_line(error: Exception, settings: CoreSettings | None, told: str) -> None:
    assert explain(error, settings) == told
