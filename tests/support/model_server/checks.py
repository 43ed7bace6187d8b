"""Checks of requests against the types that the vendors' SDKs publish."""

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import TypeAdapter, ValidationError

from tests.support.model_server.brain import Refused


def check_types(types: TypeAdapter[Any], request: Mapping[str, Any]) -> None:
    """Check `request`. Raises Refused with status 400."""
    try:
        _read_through(types.validate_python(request))
    except ValidationError as error:
        faults = [f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors()]
        raise Refused(400, "; ".join(faults[:5])) from None


def _read_through(value: Any) -> None:
    """Read all that is inside: Pydantic checks iterables only when they are read."""
    if isinstance(value, Mapping):
        for inner in value.values():
            _read_through(inner)
    elif isinstance(value, Iterable) and not isinstance(value, str | bytes):
        for inner in value:
            _read_through(inner)
