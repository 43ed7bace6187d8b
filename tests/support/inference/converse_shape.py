"""What a request for Converse may be, by botocore's model of the API, which AWS publishes."""

import base64
import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from botocore.session import get_session
from botocore.validate import ParamValidator


def faults_of(body: Mapping[str, Any]) -> list[str]:
    """What the API would refuse in `body`, whose blobs are in base64."""
    try:
        request = _decoded(body) | {"modelId": "m"}
    except ValueError as error:
        return [str(error)]
    report: Any = ParamValidator().validate(request, _shape())
    return [report.generate_report()] if report.has_errors() else [*_beyond(_shape(), request, "request")]


@cache
def _shape() -> Any:
    return get_session().get_service_model("bedrock-runtime").operation_model("Converse").input_shape


def _decoded(value: Any) -> Any:
    """`value` with its blobs as bytes, as botocore takes them."""
    if isinstance(value, list):
        return [_decoded(each) for each in value]
    if not isinstance(value, dict):
        return value
    blobs = ("bytes", "redactedContent")
    return {k: base64.b64decode(v, validate=True) if k in blobs else _decoded(v) for k, v in value.items()}


def _beyond(shape: Any, value: Any, where: str) -> Iterator[str]:
    """The bounds that botocore has in its model and leaves to the service: maxima, patterns and enumerations."""
    bounds = shape.metadata
    size = value if isinstance(value, int | float) else 0 if isinstance(value, dict) else len(value)
    if size > bounds.get("max", size):
        yield f"{where}: above {bounds['max']}"
    if isinstance(value, str) and not re.fullmatch(bounds.get("pattern", "(?s:.*)"), value):
        yield f"{where}: not of the pattern {bounds['pattern']}"
    if value not in (bounds.get("enum") or [value]):
        yield f"{where}: none of {bounds['enum']}"
    for name, inner_shape, inner in _inside(shape, value):
        yield from _beyond(inner_shape, inner, f"{where}.{name}")


def _inside(shape: Any, value: Any) -> Iterator[tuple[object, Any, Any]]:
    match shape.type_name:
        case "structure" if not shape.is_document_type:
            yield from ((name, shape.members[name], inner) for name, inner in value.items())
        case "list":
            yield from ((number, shape.member, inner) for number, inner in enumerate(value))
        case "map":
            yield from ((name, shape.key, name) for name in value)
            yield from ((name, shape.value, inner) for name, inner in value.items())
        case _:
            pass
