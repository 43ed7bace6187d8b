"""What a route needs of a service: the permission, the work in a request, and how streams end."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from callmissed.catalog.model import Catalog
from callmissed.errors import ApiError
from callmissed.platform.routes import Permission
from callmissed_ai.work import Complete, Work

Parse = Callable[[Catalog, Mapping[str, Any], int], Work]
"""The work in a JSON body of so many bytes. Raises ApiError."""

Closing = Callable[[ApiError, str], bytes]
"""The last bytes of a stream whose reply never began: its event for the error of the request id."""


@dataclass(frozen=True, slots=True)
class Service:
    """One service in one dialect. `closing` is None where nothing is streamed.

    `continues` says that a request may name a stored response, and `stores` that the reply is one.
    `complete` adds to a whole reply what only the call knows.
    `forms` says that requests are forms with a file, or name a stored one. To read them takes so long that it is done
    in a thread, and for admitted keys alone.
    `header_values` are what the call takes from headers: part of what makes two requests the same.
    """

    permission: Permission
    parse: Parse
    closing: Closing | None = None
    continues: bool = False
    stores: bool = False
    complete: Complete | None = None
    header_values: Sequence[str] = ()
    forms: bool = False
