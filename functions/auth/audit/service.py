"""Reads of the audit log, in bounded numbers."""

import re
from collections.abc import AsyncGenerator, Collection
from dataclasses import dataclass
from typing import Any

from callmissed.audit.events import RETENTION_DAYS, StoredEvent, stored_event_of
from callmissed.aws.attributes import Item, to_item
from callmissed.aws.comparisons import at_least
from callmissed.aws.database import Database
from callmissed.clock import SECOND, Micros
from callmissed.errors import ApiError
from callmissed.ids import sortable_prefix
from callmissed.platform.tables import AUDIT

MAX_OFFSET = 100_000
MAX_READ = MAX_OFFSET + 500
"""Maximum events that one request reads, so that an unfiltered page is never cut."""

_CHUNK = 1000
_EVENT_ID = re.compile(r"[0-9A-HJKMNP-TV-Z]{22}")
_DAY = 24 * 3600 * SECOND


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Events of the last `days`, of one `action` and one `resource_type` if they are given."""

    days: int
    action: str | None = None
    resource_type: str | None = None

    @property
    def where(self) -> dict[str, str]:
        """The filter over what is read."""
        wanted = {"action": self.action, "resource_type": self.resource_type}
        return {name: value for name, value in wanted.items() if value is not None}


@dataclass(frozen=True, slots=True)
class EventPage:
    """Events, newest first. `truncated` says that the request read as much as it may, and there may be more."""

    events: list[StoredEvent]
    truncated: bool


class AuditLog:
    """The audit log of one stage. Raises Unavailable when DynamoDB does not answer."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(self, tenant: str, wanted: EventFilter, now: Micros, *, limit: int, offset: int = 0) -> EventPage:
        """At most `limit` events behind the newest `offset`."""
        reader = self.read(tenant, wanted, now)
        await reader.skip(offset)
        found = await reader.next(limit)
        return EventPage(found, reader.truncated and len(found) < limit)

    def read(self, tenant: str, wanted: EventFilter, now: Micros) -> "AuditReader":
        """A reader of the events, newest first."""
        return AuditReader(self._database, tenant, wanted, now)

    async def get(self, tenant: str, event_id: str, now: Micros) -> StoredEvent:
        """One event. Raises ApiError 404, also for one that is older than the log."""
        kept = _EVENT_ID.fullmatch(event_id) and event_id >= _oldest(RETENTION_DAYS, now)
        found = await self._database.get(AUDIT, {"tenant": tenant, "event": event_id}) if kept else None
        if not found:
            raise ApiError(404, "not_found", "No such event.")
        return stored_event_of(found)


class AuditReader:
    """Reads on from where it stands, newest first. `ended` after the last event, or after MAX_READ events."""

    def __init__(self, database: Database, tenant: str, wanted: EventFilter, now: Micros) -> None:
        self._database = database
        self._tenant = tenant
        self._where = wanted.where
        self._since = at_least(_oldest(wanted.days, now))
        self._start: Any = None
        self._left = MAX_READ
        self.ended = False

    @property
    def truncated(self) -> bool:
        """Whether the reader ended although there may be more events."""
        return self.ended and self._start is not None

    async def next(self, count: int) -> list[StoredEvent]:
        """The next `count` events, fewer at the end."""
        return [stored_event_of(item) for item in await self._items(count, ())]

    async def all(self) -> AsyncGenerator[StoredEvent]:
        """Every event; each page is read when it is needed."""
        while not self.ended:
            for event in await self.next(_CHUNK):
                yield event

    async def skip(self, count: int) -> None:
        """Pass over `count` events."""
        await self._items(count, ("event",))

    async def _items(self, count: int, attributes: Collection[str]) -> list[Item]:
        found: list[Item] = []
        while len(found) < count and not self.ended:
            found += await self._page(count - len(found), attributes)
        return found

    async def _page(self, count: int, attributes: Collection[str]) -> list[Item]:
        page = await self._database.page(
            AUDIT,
            self._tenant,
            start=self._start,
            sort=self._since,
            where=self._where,
            attributes=attributes,
            newest_first=True,
            consistent=True,
            limit=min(max(count, _CHUNK) if self._where else count, self._left),
        )
        if len(page.items) > count:  # the page's other items are read again
            self._start = to_item({"tenant": self._tenant, "event": page.items[count - 1]["event"]})
            return page.items[:count]
        self._left -= page.scanned
        self._start = page.next
        self.ended = page.next is None or self._left <= 0
        return page.items


def _oldest(days: int, now: Micros) -> str:
    return sortable_prefix(Micros(now - days * _DAY))
