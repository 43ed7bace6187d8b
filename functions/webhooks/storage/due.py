"""What is due: the items of the table `deliveries` that the scheduler enqueues."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from callmissed.aws.attributes import Item
from callmissed.aws.comparisons import at_most
from callmissed.aws.database import Database
from callmissed.clock import Micros
from callmissed.platform.tables import DELIVERIES, DUE
from functions.webhooks.storage.records import DELIVERY_PREFIX, REPLAY_PREFIX, Endpoint, IndexedDelivery, due_text


@dataclass(frozen=True, slots=True)
class Due:
    """An item that the index shows as due: a delivery, the parked ones of a webhook, or a replay's id."""

    endpoint: Endpoint
    key: Item
    due: str
    delivery: IndexedDelivery | None = None
    replay_id: str | None = None

    @classmethod
    def of(cls, item: Item) -> Self:
        """The item, with the attributes that the index shows."""
        name, partition = item["item"], item["webhook"]
        delivery = IndexedDelivery.of(item) if name.startswith(DELIVERY_PREFIX) else None
        replay_id = name.removeprefix(REPLAY_PREFIX) if name.startswith(REPLAY_PREFIX) else None
        return cls(
            Endpoint.of_partition(partition), {"webhook": partition, "item": name}, item["due"], delivery, replay_id
        )


class DueRepository:
    """The index of one stage. Every method raises Unavailable when DynamoDB does not answer."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(
        self, shard: int, now: Micros, start: Mapping[str, Any] | None, limit: int
    ) -> tuple[list[Due], Mapping[str, Any] | None]:
        """At most `limit` items of the shard that are due at `now`, and where the next page starts."""
        page = await self._database.page(
            DELIVERIES, str(shard), index=DUE, sort=at_most(due_text(now)), start=start, limit=limit
        )
        return [Due.of(item) for item in page.items], page.next

    async def claim(self, due: Due, until: Micros) -> bool:
        """Make the item due at `until` instead; False when its due time has changed."""
        return await self._database.update_if(
            DELIVERIES, due.key, set=due.endpoint.due(until), expected={"due": due.due}
        )
