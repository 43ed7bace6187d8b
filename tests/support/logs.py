"""All that a process logs, as it is written: formatted, with the exceptions."""

import json
import logging
from collections.abc import Generator
from contextlib import contextmanager

_PLAIN = logging.Formatter("%(name)s %(message)s %(args)s")


class WrittenLogs(logging.Handler):
    """Takes records of every logger, formatted as the logger's own handler does, and in plain where it has none."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        own = [handler.formatter for handler in logging.getLogger(record.name).handlers if handler is not self]
        formatter = next((formatter for formatter in own if formatter is not None), None)
        self.lines.append((formatter or _PLAIN).format(record))

    @property
    def text(self) -> str:
        return "\n".join(self.lines)


@contextmanager
def written_logs() -> Generator[WrittenLogs]:
    """What is logged until the block ends, by all loggers that propagate, and by the others that exist already."""
    logs = WrittenLogs()
    existing = [logger for logger in logging.Logger.manager.loggerDict.values() if isinstance(logger, logging.Logger)]
    listened = [logging.getLogger(), *(logger for logger in existing if not logger.propagate)]
    for logger in listened:
        logger.addHandler(logs)
    try:
        yield logs
    finally:
        for logger in listened:
            logger.removeHandler(logs)


def metrics_of(printed: str, name: str) -> list[float]:
    """What a process counted in a CloudWatch metric, by the lines that it printed."""
    lines = [json.loads(line) for line in printed.splitlines() if line.startswith("{")]
    return [value for line in lines if "_aws" in line for value in line.get(name, [])]
