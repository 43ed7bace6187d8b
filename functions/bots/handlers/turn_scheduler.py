"""The function `turn-scheduler`: sees to the conversations that are due, each minute."""

from functools import cache
from typing import Any

from callmissed.aws.runtime import at_micros, logs_failures, run
from callmissed.observability import get_logger
from functions.bots.composition import compose
from functions.bots.conversations.due import DueConversations

_logger = get_logger("turn-scheduler")


@logs_failures("turn-scheduler")
def handler(event: dict[str, Any], _context: object) -> dict[str, int]:
    """See to what is due at `event["at"]` (ISO 8601)."""
    processed = run(_due().process(at_micros(event)))
    _logger.info("saw to what is due", extra={"processed": processed})
    return {"processed": processed}


@cache
def _due() -> DueConversations:
    composition = compose()
    return DueConversations(composition.database, composition.turns)
