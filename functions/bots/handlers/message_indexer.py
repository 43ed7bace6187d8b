"""The function `message-indexer`: lets new messages be found by their words."""

from functools import cache
from typing import Any

from callmissed.aws.batches import Failures, changes, from_here
from callmissed.aws.database import Database
from callmissed.aws.runtime import logs_failures, run
from callmissed.settings import from_environment
from functions.bots.inbound.word_index import index_words


@logs_failures("message-indexer")
def handler(event: dict[str, Any], _context: object) -> Failures:
    """Index a batch of the stream of messages."""
    return from_here(run(index_words(_database(), changes(event))))


@cache
def _database() -> Database:
    return Database.connect(from_environment())
