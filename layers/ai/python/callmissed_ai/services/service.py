"""What a route needs of a service: the permission, the work in a request, and how streams end."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from callmissed.catalog.model import Catalog
from callmissed.errors import ApiError
from callmissed.files.records import FileOwner
from callmissed.files.service import Files
from callmissed.platform.routes import Permission
from callmissed_ai.work import Complete, Work

Parse = Callable[[Catalog, Mapping[str, Any], int], Work]
"""The work in a JSON body of so many bytes. Raises ApiError."""

Closing = Callable[[ApiError, str], bytes]
"""The last bytes of a stream whose reply never began: its event for the error of the request id."""


WithFiles = Callable[[Files, FileOwner, Mapping[str, Any]], Awaitable[Mapping[str, Any]]]
"""The fields of a form with the bytes of the stored files that they name, which the owner has. Raises ApiError."""


@dataclass(frozen=True, slots=True)
class Service:
    """One service in one dialect. `closing` is None where nothing is streamed.

    `continues` says that a request may name a stored response, and `stores` that the reply is one.
    `complete` adds to a whole reply what only the call knows.
    `with_files` is set where requests are forms with a file, or name a stored one, and brings the bytes of that.
    To read forms takes so long that it is done in a thread, and for admitted keys alone.
    `header_values` are what the call takes from headers: part of what makes two requests the same.
    """

    permission: Permission
    parse: Parse
    closing: Closing | None = None
    continues: bool = False
    stores: bool = False
    complete: Complete | None = None
    header_values: Sequence[str] = ()
    with_files: WithFiles | None = None

    @property
    def forms(self) -> bool:
        """Whether requests are forms with a file, or name a stored one."""
        return self.with_files is not None
