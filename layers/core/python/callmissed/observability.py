"""Logs as JSON lines and metrics as CloudWatch's embedded format, both through Powertools.

Secrets, prompts and replies are never logged; of a call only ids, counts and times are logged. The text of an exception
may hold any of them: an HTTP library quotes the bytes that it could not read, a validator the value that it refused. So
a log has an exception's type, errno and frames, and the text of a `LoggableError` alone.
"""

import errno
import logging
from collections.abc import Iterator
from copy import copy
from traceback import walk_tb
from types import TracebackType
from typing import Any

from aws_lambda_powertools.logging import Logger
from aws_lambda_powertools.logging.formatter import LambdaPowertoolsFormatter
from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

NAMESPACE = "CallMissed"
_MAX_CHAIN = 10

_ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


class LoggableError(Exception):
    """An exception whose text logs may have: we wrote it, and it quotes nobody."""


class PlainFormatter(logging.Formatter):
    """Lines for a terminal, whose exceptions are `traceback_of` them."""

    def formatException(self, ei: _ExcInfo) -> str:  # noqa: N802  the name is of the standard library
        """The exception of a record."""
        return traceback_of(ei[1]) if ei[1] else ""


class _JsonFormatter(LambdaPowertoolsFormatter):
    """Powertools' JSON lines, whose exceptions are `traceback_of` them."""

    def format(self, record: logging.LogRecord) -> str:
        error = record.exc_info[1] if record.exc_info else None
        if error is not None:
            record = copy(record)
            record.exc_info = record.exc_text = None
            vars(record).update(exception=traceback_of(error), exception_name=type(error).__name__)
        return super().format(record)


def get_logger(name: str) -> Logger:
    """The logger of one part, such as `inference`; its level comes from POWERTOOLS_LOG_LEVEL."""
    return Logger(service=f"callmissed-{name}", logger_formatter=_JsonFormatter())


def failure_name(error: BaseException) -> str:
    """What a log may say of a library's exception, such as `ClientConnectorError (ECONNREFUSED)`."""
    code = failure_code(error)
    return f"{type(error).__name__} ({code})" if code else type(error).__name__


def failure_code(error: BaseException) -> str:
    """The system's errno, AWS's code, or the `log_code` of an exception of ours."""
    if isinstance(error, OSError) and error.errno is not None:
        return errno.errorcode.get(error.errno, str(error.errno))
    answer: Any = getattr(error, "operation_name", None) and getattr(error, "response", None)  # botocore's ClientError
    return str(answer["Error"].get("Code", "") if answer else getattr(error, "log_code", ""))


def traceback_of(error: BaseException) -> str:
    """Types and frames of `error` and of what led to it, the first cause first; texts of LoggableErrors."""
    return "\n".join(line for each in reversed(_chain(error)) for line in _lines(each))


def count(metric: str, value: int = 1, **dimensions: str) -> None:
    """Add `value` to a CloudWatch metric by one log line; `infra` sets alarms on the names used here."""
    metrics = EphemeralMetrics(namespace=NAMESPACE)  # unlike `single_metric`, respects POWERTOOLS_METRICS_DISABLED
    for name, text in dimensions.items():
        metrics.add_dimension(name=name, value=text)
    metrics.add_metric(name=metric, unit=MetricUnit.Count, value=value)
    metrics.flush_metrics()


def _chain(error: BaseException) -> list[BaseException]:
    """`error`, what it was raised from or in the handling of, and so on."""
    chain: list[BaseException] = []
    following: BaseException | None = error
    while following is not None and following not in chain and len(chain) < _MAX_CHAIN:
        chain.append(following)
        following = following.__cause__ or (None if following.__suppress_context__ else following.__context__)
    return chain


def _lines(error: BaseException) -> Iterator[str]:
    text = f": {error}" if isinstance(error, LoggableError) else ""
    yield f"{failure_name(error)}{text}"
    for frame, line in walk_tb(error.__traceback__):
        yield f'  File "{frame.f_code.co_filename}", line {line}, in {frame.f_code.co_name}'
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]  a group's types are lost
            yield from _lines(inner)  # pyright: ignore[reportUnknownArgumentType]  as above
