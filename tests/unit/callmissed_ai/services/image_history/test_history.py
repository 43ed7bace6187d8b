"""The history where storage fails, and where moments are taken."""

from typing import Any

import pytest

from callmissed.aws.dynamodb import Unavailable
from callmissed.clock import Micros
from callmissed_ai.dialects.openai_images.reply import DrawnImage
from callmissed_ai.services.image_history.history import ImageHistory
from callmissed_ai.services.image_history.records import (
    ImageRecord,
    image_record_of,
    sort_key,
    to_image_item,
)
from tests.support.inference.image_objects import MemoryObjects, png

IMAGE = DrawnImage(png(), "image/png")
MOMENT = Micros(1_780_272_000_000_000)


def record(number: int = 0) -> ImageRecord:
    return ImageRecord(
        key="key_1",
        created=MOMENT,
        image_id=f"img_{number}",
        tenant="tnt_1",
        model="m",
        size="64x64",
        prompt="A lighthouse",
        media_type="image/png",
        object=f"tnt_1/key_1/img_{number}.png",
        seed=7,
    )


class Items:
    """A table in memory, in the place of a database."""

    def __init__(self, *, failing: bool = False) -> None:
        self.items: dict[str, dict[str, Any]] = {}
        self.failing = failing

    async def put_new(self, _table: object, item: dict[str, Any]) -> dict[str, Any]:
        if self.failing:
            raise Unavailable("as the test asked", indeterminate=True)
        return self.items.get(item["image"]) or self.items.update({item["image"]: item}) or {}


def history(items: Items, objects: MemoryObjects) -> ImageHistory:
    return ImageHistory(items, objects, lambda: MOMENT)  # pyright: ignore[reportArgumentType]  the part that is used


def test_record_comes_back_as_it_was() -> None:
    item = to_image_item(record())

    assert image_record_of(item) == record()
    assert item["ttl"] == MOMENT // 1_000_000 + 30 * 24 * 3600
    assert "steps" not in item


def test_keys_sort_by_moment() -> None:
    moments = [Micros(-5), Micros(7), MOMENT, Micros(MOMENT + 1), Micros(10**18)]

    assert sorted(map(sort_key, reversed(moments))) == list(map(sort_key, moments))


async def test_images_of_one_moment_get_moments_of_their_own() -> None:
    items, objects = Items(), MemoryObjects()

    await history(items, objects).keep([record(0), record(1), record(2)], [IMAGE] * 3)

    assert {item["image_id"] for item in items.items.values()} == {"img_0", "img_1", "img_2"}
    assert sorted(items.items) == [sort_key(Micros(MOMENT + later)) for later in range(3)]
    assert len(objects.bodies) == 3


@pytest.mark.parametrize("broken", ["objects", "table"])
async def test_failure_is_counted_and_raises_nothing(broken: str, capsys: pytest.CaptureFixture[str]) -> None:
    items, objects = Items(failing=broken == "table"), MemoryObjects()
    objects.failing = broken == "objects"

    await history(items, objects).keep([record()], [IMAGE])

    assert "ImageNotStored" in capsys.readouterr().out
    assert items.items == {}, "no record of an image that is not there"
