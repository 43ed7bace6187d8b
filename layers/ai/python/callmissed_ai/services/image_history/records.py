"""The record of an image, and its stored form.

An item's partition is the `key` that asked for the image, or the tenant where none did; its `image` is the moment of
the image in microseconds, with leading zeros. No two images of a key have the same moment, so a moment is a cursor.
`image_id`, `tenant`, `model`, `size`, `prompt`, `negative_prompt`, `revised_prompt`, `seed`, `steps` and `media_type`
are what they say, `object` is the image's name in S3, and `ttl` is when both are gone, in epoch seconds.
"""

from dataclasses import asdict, dataclass
from typing import Any

from callmissed.aws.attributes import Item
from callmissed.clock import SECOND, Micros

RETENTION_SECONDS = 30 * 24 * 3600
_DIGITS = 16
_LAST = 10**_DIGITS - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageRecord:
    """An image that was drawn for `key` at the moment `created`."""

    key: str
    created: Micros
    image_id: str
    tenant: str
    model: str
    size: str
    prompt: str
    media_type: str
    object: str
    negative_prompt: str | None = None
    revised_prompt: str | None = None
    seed: int | None = None
    steps: int | None = None


def sort_key(moment: Micros) -> str:
    """The sort key of the image of that moment."""
    return f"{min(max(moment, 0), _LAST):0{_DIGITS}d}"


def to_image_item(record: ImageRecord) -> Item:
    """The record as an item."""
    values: dict[str, Any] = {name: value for name, value in asdict(record).items() if value is not None}
    created: int = values.pop("created")
    return {**values, "image": sort_key(record.created), "ttl": created // SECOND + RETENTION_SECONDS}


def image_record_of(item: Item) -> ImageRecord:
    """The record in an item."""
    values = {name: value for name, value in item.items() if name not in ("image", "ttl")}
    return ImageRecord(**values, created=Micros(int(item["image"])))
