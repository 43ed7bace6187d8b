"""Publishes `api_key.expired`.

A key expires without a write: its calls are refused from then on. So a schedule looks for expired keys.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass

from callmissed.aws.database import Database
from callmissed.aws.dynamodb import DynamoError
from callmissed.clock import MINUTE, Micros, iso
from callmissed.errors import ApiError
from callmissed.events.outbox import new_event, publish
from callmissed.events.types import ApiKeyExpired
from callmissed.keys.records import KeyItem, expired_between, key_item_of, read_api_key
from callmissed.platform.tables import KEYS

LOOKS_BACK = 25 * 60 * MINUTE
"""How far back expiries are searched, in microseconds: after a day of failed runs none is missed."""


@dataclass(slots=True)
class ExpiryReport:
    """Result of one run: secrets that had ended, and keys whose expiry was published now."""

    ended: int = 0
    published: int = 0


async def publish_expired(database: Database, now: Micros) -> ExpiryReport:
    """Publish `api_key.expired` for keys that expired in the 25 hours up to `now`.

    A key's expiry is published once, also when runs repeat or overlap. Reads the whole table of keys,
    half a read unit per 4 KB: 10,000 secrets cost about 500 units an hour; and one unit for each secret that had ended.
    A key that can't be read does not delay the others; its error is raised at the end.
    """
    report = ExpiryReport()
    failure: ApiError | DynamoError | None = None
    async for key in _ended(database, now):
        report.ended += 1
        try:
            report.published += await _publish(database, key, now)
        except (ApiError, DynamoError) as error:
            failure = error
    if failure:
        raise failure
    return report


async def _ended(database: Database, now: Micros) -> AsyncIterator[KeyItem]:
    """Hot items that ended by time, of keys that expired or whose earlier secrets did; eventually consistent."""
    async for item in database.scan(KEYS, where=expired_between(Micros(now - LOOKS_BACK), now)):
        yield key_item_of(item)


async def _publish(database: Database, key: KeyItem, now: Micros) -> bool:
    """Publish the key's expiry, unless only an earlier secret's overlap ended."""
    record, expired_at = await read_api_key(database, key.tenant, key.key_id), iso(key.expires)
    if not record.is_active or record.expires_at != expired_at:
        return False
    data = ApiKeyExpired(key_id=key.key_id, expired_at=expired_at)
    return await publish(database, new_event(key.tenant, data, now, unique=f"{key.key_id} {key.expires}"))
