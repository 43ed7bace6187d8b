"""A file's record, and its stored form.

An item's `tenant` is its partition. `item` is `live#` or `test#`, by the kind of key that made the file, and the file's
id, which begins with the time: so a query returns files in the order of their creation. Other attributes: `filename`,
`purpose`, `size` in bytes, `created`, `expires` and `form_ends` in epoch microseconds, `state`, `promised` (its bytes
come through an upload form), `generation`, which every deletion raises, and `etag`, S3's name for the bytes.
`shard` and `due` are the keys of the index: what the sweep has to look at, and from when on.

    pending ──► uploaded ──► deleted ──► (no item)
       └───────────────────────┘
    counted in the allowance  not counted; the item stays until the object is surely gone
"""

import re
import secrets
from dataclasses import dataclass
from enum import StrEnum

from callmissed.aws.attributes import Item
from callmissed.clock import MINUTE, SECOND, Micros

MAX_LIFETIME_SECONDS = 30 * 24 * 3600
MIN_LIFETIME_SECONDS = 3600

FORM_SECONDS = 15 * 60
"""Time in which an upload may begin."""
_UPLOAD_MICROS = 60 * MINUTE
"""Time from a promise until the bytes must be there: S3 checks a form's end only when its upload begins."""
_DIRECT_MICROS = 20 * MINUTE
"""Longer than Lambda lets the upload's own request run."""

SHARDS = 4
_FILE_ID = re.compile(r"file-[0-9a-f]{32}")


class FileState(StrEnum):
    """State of a file. Only an uploaded one has bytes that anyone may read."""

    PENDING = "pending"
    UPLOADED = "uploaded"
    DELETED = "deleted"


@dataclass(frozen=True, slots=True)
class FileOwner:
    """Who may see a file: the keys of `tenant`, its test keys if it is `sandboxed`, else its live keys."""

    tenant: str
    sandboxed: bool = False

    @property
    def prefix(self) -> str:
        """What the owner's items begin with."""
        return "test#" if self.sandboxed else "live#"


@dataclass(frozen=True, slots=True)
class NewFile:
    """A file as its maker describes it. `size` is in bytes."""

    filename: str
    purpose: str
    size: int
    lifetime_seconds: int = MAX_LIFETIME_SECONDS


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file's record. `etag` is empty until the bytes are there."""

    owner: FileOwner
    file_id: str
    filename: str
    purpose: str
    size: int
    created: Micros
    expires: Micros
    state: FileState
    promised: bool
    form_ends: Micros
    due: Micros
    generation: int = 1
    etag: str = ""

    @property
    def key(self) -> Item:
        """Key of the item."""
        return file_key(self.owner, self.file_id)

    @property
    def object_name(self) -> str:
        """Name of the object with the bytes."""
        return f"{self.owner.tenant}/{self.owner.prefix.rstrip('#')}/{self.file_id}"

    def is_readable(self, now: Micros) -> bool:
        """Whether the bytes may be read at `now`: what has expired is gone, though the sweep removes it later."""
        return self.state is FileState.UPLOADED and now < self.expires

    def is_awaited(self, now: Micros) -> bool:
        """Whether the bytes are still to come through an upload form."""
        return self.state is FileState.PENDING and self.promised and now < self.due


def is_file_id(text: str) -> bool:
    """Whether `text` has the form of an id."""
    return bool(_FILE_ID.fullmatch(text))


def new_file_id(now: Micros) -> str:
    """An id that sorts by time: 48 bits of milliseconds, and 80 random ones that nobody guesses."""
    return f"file-{now // 1000:012x}{secrets.token_hex(10)}"


def new_record(owner: FileOwner, new: NewFile, now: Micros, *, promised: bool) -> StoredFile:
    """The record of a file whose bytes are not there yet."""
    return StoredFile(
        owner=owner,
        file_id=new_file_id(now),
        filename=new.filename,
        purpose=new.purpose,
        size=new.size,
        created=now,
        expires=Micros(now + new.lifetime_seconds * SECOND),
        state=FileState.PENDING,
        promised=promised,
        form_ends=Micros(now + FORM_SECONDS * SECOND) if promised else now,
        due=Micros(now + (_UPLOAD_MICROS if promised else _DIRECT_MICROS)),
    )


def gone_by(file: StoredFile, now: Micros) -> Micros:
    """From when on no upload can bring the object of a file back that is deleted at `now`."""
    return Micros(max(now, file.form_ends + _UPLOAD_MICROS)) if file.promised else now


def file_key(owner: FileOwner, file_id: str) -> Item:
    """Key of a file's item."""
    return {"tenant": owner.tenant, "item": f"{owner.prefix}{file_id}"}


def shard_of(file_id: str) -> str:
    """The index's partition of a file."""
    return str(int(file_id[-1], 16) % SHARDS)


def due_text(due: Micros) -> str:
    """A time as the index sorts it."""
    return f"{due:020d}"


def to_item(file: StoredFile) -> Item:
    """A record as an item."""
    return {
        **file.key,
        "filename": file.filename,
        "purpose": file.purpose,
        "size": file.size,
        "created": file.created,
        "expires": file.expires,
        "state": str(file.state),
        "promised": file.promised,
        "form_ends": file.form_ends,
        "generation": file.generation,
        "etag": file.etag,
        "shard": shard_of(file.file_id),
        "due": due_text(file.due),
    }


def file_of(item: Item) -> StoredFile:
    """The record of an item."""
    kind, _, file_id = item["item"].partition("#")
    return StoredFile(
        owner=FileOwner(item["tenant"], kind == "test"),
        file_id=file_id,
        filename=item["filename"],
        purpose=item["purpose"],
        size=item["size"],
        created=item["created"],
        expires=item["expires"],
        state=FileState(item["state"]),
        promised=item["promised"],
        form_ends=item["form_ends"],
        due=Micros(int(item["due"])),
        generation=item["generation"],
        etag=item["etag"],
    )
