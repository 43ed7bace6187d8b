"""Logs name the types, the errno and the frames of exceptions, and quote no foreign text."""

import asyncio
import errno
import json
import logging
import sys
from collections.abc import Callable

import aiohttp
import pytest
from botocore.exceptions import ClientError
from pydantic import BaseModel, ValidationError

from callmissed.aws.dynamodb import RequestRefused, Unavailable
from callmissed.observability import PlainFormatter, failure_name, get_logger, traceback_of
from tests.support.logs import written_logs

MARKER = "secret-marker-4711"


class Strict(BaseModel):
    number: int


def refused_value() -> None:
    Strict.model_validate({"number": MARKER})


def grouped() -> None:
    raise ExceptionGroup(MARKER, [ValueError(MARKER), Unavailable("no answer", indeterminate=True)])


def noted() -> None:
    error = KeyError(MARKER)
    error.add_note(MARKER)
    raise error


def chained() -> None:
    try:
        refused_value()
    except ValidationError as error:
        raise Unavailable("GetItem: ClientPayloadError", indeterminate=True) from error


def in_a_circle() -> None:
    one, other = ValueError(MARKER), TypeError(MARKER)
    one.__cause__, other.__cause__ = other, one
    raise one


def caught(fail: Callable[[], None]) -> Exception:
    try:
        fail()
    except Exception as error:
        return error
    raise AssertionError("nothing was raised")


FAILURES = (refused_value, grouped, noted, chained, in_a_circle)


@pytest.mark.parametrize("fail", FAILURES)
def test_log_has_types_and_frames_and_no_text(fail: Callable[[], None]) -> None:
    logger = get_logger("inference")
    with written_logs() as logs:
        try:
            fail()
        except Exception:
            logger.exception("a failure", extra={"call": "c_1"})

    (line,) = (json.loads(line) for line in logs.lines)
    assert MARKER not in logs.text
    assert (line["message"], line["call"], line["service"]) == ("a failure", "c_1", "callmissed-inference")
    assert line["exception_name"] == type(caught(fail)).__name__
    assert f"in {fail.__name__}" in line["exception"]


@pytest.mark.parametrize("fail", FAILURES)
def test_lines_for_a_terminal_are_the_same(fail: Callable[[], None]) -> None:
    error = caught(fail)
    record = logging.LogRecord("x", logging.ERROR, "x", 1, "failed", None, (type(error), error, error.__traceback__))

    assert PlainFormatter().format(record) == f"failed\n{traceback_of(error)}"
    assert MARKER not in traceback_of(error)


def test_cause_comes_first_and_our_own_text_is_shown() -> None:
    first, *frames = traceback_of(caught(chained)).splitlines()

    assert first == "ValidationError"
    assert "Unavailable: GetItem: ClientPayloadError" in frames
    assert traceback_of(caught(grouped)).count("Unavailable: no answer") == 1


def test_suppressed_context_is_left_out() -> None:
    def fail() -> None:
        try:
            refused_value()
        except ValidationError:
            raise RuntimeError(MARKER) from None

    assert "ValidationError" not in traceback_of(caught(fail))


@pytest.mark.parametrize(
    ("error", "name"),
    [
        (ConnectionResetError(errno.ECONNRESET, MARKER), "ConnectionResetError (ECONNRESET)"),
        (OSError(-99_999, MARKER), "OSError (-99999)"),
        (OSError(MARKER), "OSError"),
        (TimeoutError(), "TimeoutError"),
        (asyncio.IncompleteReadError(MARKER.encode(), 50), "IncompleteReadError"),
        (aiohttp.ClientPayloadError(MARKER), "ClientPayloadError"),
        (
            ClientError({"Error": {"Code": "AccessDenied", "Message": MARKER}}, "SendMessage"),
            "ClientError (AccessDenied)",
        ),
        (ClientError({"Error": {}}, "SendMessage"), "ClientError"),
        (RequestRefused("ValidationException", MARKER), "RequestRefused (ValidationException)"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_name_of_a_failure_is_its_type_and_code(error: Exception, name: str) -> None:
    assert failure_name(error) == name


def test_record_without_an_exception_is_as_before() -> None:
    with written_logs() as logs:
        get_logger("inference").warning("plain", extra={"why": "x"}, exc_info=sys.exc_info())

    line = json.loads(logs.text)
    assert (line["message"], line["why"], line["level"]) == ("plain", "x", "WARNING")
    assert "exception" not in line
