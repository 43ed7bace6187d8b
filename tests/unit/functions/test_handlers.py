"""Every declared handler: what it raises quotes nobody, because Lambda prints it."""

import traceback
from collections.abc import Mapping
from importlib import import_module
from typing import Any, NoReturn

import pytest

from callmissed.aws.runtime import InvocationFailedError, logs_failures
from callmissed.platform.functions import FUNCTIONS, Function
from tests.support.logs import written_logs

MARK = "text-of-a-caller-4713"


class HostileEvent(dict[str, Any]):
    """An event that raises whatever a handler does with it."""

    def _raise(self, *_: object) -> NoReturn:
        raise ValueError(MARK)

    __getitem__ = __iter__ = __contains__ = __len__ = get = keys = items = values = _raise


def handler_of(function: Function) -> Any:
    module, _, name = str(function.handler).rpartition(".")
    return getattr(import_module(module), name)


@pytest.mark.parametrize("function", [each for each in FUNCTIONS if each.handler], ids=lambda each: each.name)
@pytest.mark.parametrize(
    "event", [HostileEvent(), {"Records": [MARK], "at": MARK, "headers": MARK}], ids=["raises", "odd"]
)
def test_what_a_handler_raises_quotes_nobody(function: Function, event: Mapping[str, Any]) -> None:
    handler = handler_of(function)

    with written_logs() as logs, pytest.raises(InvocationFailedError) as failed:
        handler(event, None)

    assert MARK not in "".join(traceback.format_exception(failed.value))
    assert MARK not in logs.text
    assert "the invocation failed" in logs.text
    assert f'"service":"callmissed-{function.name}"' in logs.text


def test_failure_is_logged_by_type_and_frames() -> None:
    @logs_failures("test")
    def handler(event: dict[str, Any], _context: object) -> object:
        return int(event["text"])

    assert handler({"text": "5"}, None) == 5
    with written_logs() as logs, pytest.raises(InvocationFailedError):
        handler({"text": MARK}, None)

    assert '"exception_name":"ValueError"' in logs.text
    assert "in handler" in logs.text
    assert MARK not in logs.text
