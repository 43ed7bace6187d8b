"""Publishing that keys have expired.

Nothing happens when a key expires: its calls are refused from then on. So it is looked for afterwards.
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
"""How long ago a key may have expired, in microseconds: a schedule that failed for a day misses none."""


@dataclass(slots=True)
class ExpiryReport:
    """What one look found: secrets that had ended, and keys whose expiry was published now."""

    ended: int = 0
    published: int = 0


async def publish_expired(database: Database, now: Micros) -> ExpiryReport:
    """Publish `api_key.expired` for keys that expired in the 25 hours up to `now`.

    A key's expiry is published once, however often and at the same time this runs. Reads the whole table of keys,
    half a read unit per 4 KB: 10,000 secrets cost about 500 units an hour; and one unit for each secret that had ended.
    A key that can't be looked at does not keep the others waiting; its error is raised at the end.
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
    """Publish it of the key, if it is the key that expired and not an earlier secret whose overlap is over."""
    record, expired_at = await read_api_key(database, key.tenant, key.key_id), iso(key.expires)
    if not record.is_active or record.expires_at != expired_at:
        return False
    data = ApiKeyExpired(key_id=key.key_id, expired_at=expired_at)
    return await publish(database, new_event(key.tenant, data, now, unique=f"{key.key_id} {key.expires}"))
