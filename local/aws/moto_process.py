"""`python -m local.aws.moto_process`: moto's server, silent, and quick when many messages wait.

Moto 5.2 counts all messages of a queue three times, with a slow clock, for each one that it sends or delivers: a
thousand that wait make a batch of ten take a second.
"""

import logging
import time
from typing import Any

from moto.server import main
from moto.sqs import models

_sqs: Any = models


def quicken_queues() -> None:
    """Use the machine's clock, and deliver messages without checking their age: no message is older than its server."""
    _sqs.unix_time_millis = _milliseconds
    _sqs.SQSBackend.is_message_valid_based_on_retention_period = _is_young


def _milliseconds() -> float:
    return time.time() * 1000


def _is_young(*_arguments: Any) -> bool:
    return True


if __name__ == "__main__":
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # it logs every request, and the local stack asks often
    quicken_queues()
    main()
