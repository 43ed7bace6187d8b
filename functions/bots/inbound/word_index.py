"""Indexes the words of new messages, from the stream of the table `messages`. Safe to repeat."""

from collections.abc import Sequence

from callmissed.aws.batches import Change
from callmissed.aws.database import Database
from callmissed.aws.dynamodb import Unavailable
from callmissed.observability import get_logger
from callmissed.platform.tables import WORDS
from functions.bots.conversations.messages import MESSAGE, message_of
from functions.bots.conversations.words import word_items

_logger = get_logger("message-indexer")


async def index_words(database: Database, changes: Sequence[Change]) -> Sequence[Change]:
    """Write the words of the new messages among `changes`; returns the first that failed, and all after it."""
    for number, change in enumerate(changes):
        if change.operation != "INSERT" or not change.item["item"].startswith(MESSAGE):
            continue
        try:
            await database.put_all(WORDS, list(word_items(message_of(change.item))))
        except Unavailable:
            _logger.warning("a message is indexed later", extra={"message_id": change.item["id"]})
            return changes[number:]
    return []
