"""The attributes under which the fields of a record are stored."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from callmissed.aws.attributes import Item


class Attributes:
    """Field names of a record, and the name under which each is stored. A field that is None is not stored."""

    def __init__(self, **stored: str) -> None:
        self._stored = stored

    def encode(self, **fields: Any) -> Item:
        """The attributes of those `fields` that are not None. Raises KeyError for a field that is not stored."""
        return {self._stored[field]: _plain(value) for field, value in fields.items() if value is not None}

    def encode_record(self, record: object) -> Item:
        """The attributes of all stored fields of `record`."""
        return self.encode(**{field: getattr(record, field) for field in self._stored})

    def changes(self, before: object, after: object) -> tuple[Item, tuple[str, ...]]:
        """The attributes to set and those to remove, to make the record `before` the record `after`."""
        changed = [field for field in self._stored if getattr(before, field) != getattr(after, field)]
        removed = [field for field in changed if getattr(after, field) is None]
        return self.encode(**{field: getattr(after, field) for field in changed}), self.names(*removed)

    def names(self, *fields: str) -> tuple[str, ...]:
        """The attributes of `fields`, to remove them. Raises KeyError for a field that is not stored."""
        return tuple(self._stored[field] for field in fields)

    def decode(self, item: Mapping[str, Any]) -> dict[str, Any]:
        """The fields that `item` has."""
        return {field: item[name] for field, name in self._stored.items() if name in item}


def _plain(value: Any) -> Any:
    return value.value if isinstance(value, StrEnum) else value
