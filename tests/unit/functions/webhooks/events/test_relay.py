"""The relay before a bus that refuses some of what it gets."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from callmissed.aws.batches import Change
from functions.webhooks.events.relay import Relay


class Bus:
    """Refuses each event as often as `refusals` says."""

    def __init__(self, refusals: Mapping[str, int]) -> None:
        self.took: list[str] = []
        self.asked: list[int] = []
        self._left = dict(refusals)

    def put_events(self, Entries: Sequence[Mapping[str, Any]]) -> dict[str, Any]:  # noqa: N803  boto3's name
        self.asked.append(len(Entries))
        return {"Entries": [self._answer(entry["DetailType"]) for entry in Entries]}

    def _answer(self, type: str) -> dict[str, str]:
        if self._left.get(type, 0) > 0:
            self._left[type] -= 1
            return {"ErrorCode": "ThrottlingException"}
        self.took.append(type)
        return {"EventId": "1"}


def inserted(*types: str) -> list[Change]:
    common = {"tenant": "tnt_1", "source": "callmissed.events", "created": 1}
    return [Change("INSERT", {"id": f"evt_{type}", "type": type, **common}, type) for type in types]


async def test_only_what_was_refused_is_published_again() -> None:
    bus = Bus({"b": 1, "d": 2})

    left = await Relay("bus", bus).publish(inserted("a", "b", "c", "d"))  # type: ignore[arg-type]

    assert left == []
    assert sorted(bus.took) == ["a", "b", "c", "d"]
    assert bus.asked == [4, 2, 1]


async def test_what_stays_refused_is_left_to_the_stream_with_all_that_follows() -> None:
    bus, changes = Bus({"b": 99}), inserted("a", "b", "c", *(f"x{number}" for number in range(10)))

    left = await Relay("bus", bus).publish(changes)  # type: ignore[arg-type]

    assert left == changes[1:]
    assert bus.took.count("a") == bus.took.count("c") == 1
    assert "x9" not in bus.took  # the next ten wait for these


@pytest.mark.parametrize("operation", ["MODIFY", "REMOVE"])
async def test_only_new_items_are_published(operation: str) -> None:
    bus, [change] = Bus({}), inserted("a")

    assert await Relay("bus", bus).publish([Change(operation, change.item, "1")]) == []  # type: ignore[arg-type]
    assert bus.asked == []
