"""Filter and cursor of the list of transactions."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import Query

from callmissed.clock import MINUTE, Micros, micros_at
from callmissed.errors import invalid_request
from callmissed.ledger.entries import EntryType
from callmissed.ledger.history.transactions import TransactionFilter
from callmissed.web.dependencies import ClockOf

CURSOR = "^[0-9A-HJKMNP-TV-Z]{24}0?$"
"""Pattern of every cursor: the id of an entry, and a zero where the next page begins with that entry."""

TYPES = tuple(each for each in EntryType if each is not EntryType.VOID)
"""Types of entries that move credits."""

_DAY = 24 * 60 * MINUTE


def transaction_filter(
    clock: ClockOf,
    before: Annotated[str | None, Query(max_length=64, description="Only before this moment (ISO 8601).")] = None,
    since_days: Annotated[int | None, Query(ge=1, le=365, description="Only of the last days.")] = None,
    type: Annotated[str | None, Query(max_length=50, description="Only of this type.")] = None,
) -> TransactionFilter:
    """The filter that the query names. Raises ApiError 400."""
    return TransactionFilter(
        since=None if since_days is None else Micros(clock() - since_days * _DAY),
        before=None if before is None else _moment(before),
        type=None if type is None else _type(type),
    )


def _moment(text: str) -> Micros:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise invalid_request("Write the moment as ISO 8601, such as 2026-11-16T00:00:00Z.", "before") from error
    return micros_at(moment if moment.tzinfo else moment.replace(tzinfo=UTC))


def _type(name: str) -> EntryType:
    if name not in TYPES:
        raise invalid_request(f"Transactions are of these types: {', '.join(TYPES)}.", "type")
    return EntryType(name)
