"""The function `files-sweep`: deletes what has expired and what was announced and never came, each hour."""

from functools import cache
from typing import Any

from callmissed.aws.buckets import Bucket
from callmissed.aws.database import Database
from callmissed.aws.runtime import at_micros, logs_failures, run
from callmissed.aws.start import prepare_start
from callmissed.clock import system_clock
from callmissed.files.service import Files
from callmissed.files.storage import S3Files
from callmissed.observability import get_logger
from callmissed.platform.resources import FILES_BUCKET
from callmissed.settings import from_environment

prepare_start()
_logger = get_logger("files-sweep")


@logs_failures("files-sweep")
def handler(event: dict[str, Any], _context: object) -> dict[str, int]:
    """Sweep as of `event["at"]` (ISO 8601). Raises when DynamoDB or S3 does not answer, so that it is retried."""
    swept = run(_files().sweep(at_micros(event)))
    _logger.info("swept", extra={"files": swept})
    return {"files": swept}


@cache
def _files() -> Files:
    settings = from_environment()
    return Files(Database.connect(settings), S3Files(Bucket(settings, FILES_BUCKET)), system_clock)
