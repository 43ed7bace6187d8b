"""A tenant's storage allowance: one counter of stored bytes, which changes with the records of what is stored.

The counter goes up in the transaction that writes a record, and down in the one that takes the record's bytes away, and
in no other write. So it is the sum of the sizes of the records at every moment, and nothing is given back twice,
whichever process dies when. Files, knowledge and recordings count; generated images and stored answers don't.
"""

from callmissed.aws.attributes import Item
from callmissed.aws.comparisons import at_most, missing_or
from callmissed.aws.database import Database
from callmissed.aws.operations import WriteOperation, update_operation
from callmissed.errors import ApiError
from callmissed.platform.tables import FILES

_ITEM = "allowance"


def allowance_key(tenant: str) -> Item:
    """Key of the tenant's counter."""
    return {"tenant": tenant, "item": _ITEM}


def take_bytes(tenant: str, size: int, max_bytes: int) -> WriteOperation:
    """Count `size` more bytes, if they fit into the plan's `max_bytes`. Raises ApiError 429 for what never fits."""
    if size > max_bytes:
        raise storage_exceeded(max_bytes)
    expected = {"used": missing_or(at_most(max_bytes - size))}
    return update_operation(FILES, allowance_key(tenant), add={"used": size}, expected=expected, upsert=True)


def give_bytes_back(tenant: str, size: int) -> WriteOperation:
    """Count `size` bytes less. For a transaction that makes this happen once."""
    return update_operation(FILES, allowance_key(tenant), add={"used": -size})


async def stored_bytes(database: Database, tenant: str) -> int:
    """How many bytes the tenant stores. Raises Unavailable."""
    item = await database.get(FILES, allowance_key(tenant))
    return item.get("used", 0)


def storage_exceeded(max_bytes: int) -> ApiError:
    """429: the plan's storage is used up."""
    message = f"The plan's storage of {max_bytes:,} bytes does not have room for this file. Delete files to make room."
    return ApiError(429, "quota_exceeded", message)
