"""The import of a providers file that was begun last, as the table `billing` stores it.

    @prices   IMPORT   its version, and when it was begun

A parameter has no conditional write, so this item orders imports: who begins one replaces the item that was read before
the document was. `token` is new with each write. An import that died before the document was written is over when
`IMPORT_LIFETIME` has passed, which is longer than any function runs.
"""

import secrets
from dataclasses import asdict, dataclass, field

from callmissed.aws.attributes import Item
from callmissed.clock import MINUTE, Micros

IMPORT_LIFETIME = 2 * MINUTE
IMPORT_KEY: Item = {"id": "@prices", "item": "IMPORT"}


@dataclass(frozen=True, slots=True)
class PriceVersion:
    """Fingerprints of the document in force and of the proposed one."""

    old: str
    new: str

    def __str__(self) -> str:
        return f"{self.old}-{self.new}"


@dataclass(frozen=True, slots=True)
class BegunImport:
    """An import that has begun, and may be over."""

    version: str
    begun: Micros
    token: str = field(default_factory=lambda: secrets.token_hex(8))

    def is_alive(self, now: Micros) -> bool:
        """Whether the document may still be written by it."""
        return now - self.begun < IMPORT_LIFETIME

    def has_made(self, fingerprint: str) -> bool:
        """Whether it is complete where the document in force has this fingerprint."""
        return self.version.endswith(f"-{fingerprint}")


def to_import_record(begun: BegunImport) -> Item:
    """The item of an import."""
    return {**IMPORT_KEY, **asdict(begun)}


def import_of(item: Item) -> BegunImport | None:
    """The import of an item; None without one."""
    return BegunImport(item["version"], item["begun"], item["token"]) if item else None
