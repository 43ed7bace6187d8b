"""Request bodies: read up to the limit, parsed strictly.

A body that two JSON parsers could read differently is refused, because we price our reading and the upstream runs its
own: duplicate keys, NaN, numbers beyond floats, lone surrogates, bytes that aren't UTF-8.
"""

import json
import re
from math import isfinite
from typing import Any

from starlette.requests import ClientDisconnect, Request

from callmissed.errors import invalid_request, payload_too_large
from callmissed.platform.routes import MAX_BODY_BYTES
from callmissed_ai.dialects.strict_json import count_containers, is_deeper, refuse_constant

MAX_DEPTH = 100
"""Maximum nesting of a body: far below the stack limit of any parser or serializer."""


MAX_CONTAINERS = 100_000
"""Maximum of objects and lists in a body: each takes longer to read than many numbers or a long text."""

_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)


async def read_body(request: Request) -> bytes:
    """The whole body. Raises ApiError 413 as soon as it is known to be too large, 400 when the caller hangs up."""
    if _announced(request) > MAX_BODY_BYTES:
        raise payload_too_large(MAX_BODY_BYTES)
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > MAX_BODY_BYTES:
                raise payload_too_large(MAX_BODY_BYTES)
    except ClientDisconnect:
        raise invalid_request("The body broke off.") from None
    return bytes(body)


def _announced(request: Request) -> int:
    """The body's length in `Content-Length`, 0 for none that is a number."""
    text = request.headers.get("content-length", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else 0


def parse_object(raw: bytes) -> dict[str, Any]:
    """The JSON object in `raw`. Raises ApiError 400 that names the fault."""
    containers = count_containers(raw)
    if containers > MAX_CONTAINERS and count_containers(_STRING.sub(b"", raw)) > MAX_CONTAINERS:
        raise invalid_request(f"The body has more than {MAX_CONTAINERS:,} objects and lists.")
    try:
        value: Any = json.loads(
            raw.decode(), object_pairs_hook=_unique, parse_float=_finite, parse_constant=refuse_constant
        )
        if containers > MAX_DEPTH and is_deeper(value, MAX_DEPTH):
            raise RecursionError
        if b"\\u" in raw:
            json.dumps(value, ensure_ascii=False).encode()
    except UnicodeDecodeError:
        raise invalid_request("The body is not UTF-8.") from None
    except UnicodeEncodeError:
        raise invalid_request("The body contains half of a surrogate pair.") from None
    except json.JSONDecodeError as error:
        raise invalid_request(f"The body is not valid JSON: {error.msg} at character {error.pos}.") from None
    except RecursionError:
        raise invalid_request("The body is nested too deeply.") from None
    except ValueError as error:
        raise invalid_request(f"The body is not valid JSON: {error}") from None
    if not isinstance(value, dict):
        raise invalid_request("The body must be a JSON object.")
    return value  # pyright: ignore[reportUnknownVariableType]


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        shown = _first_doubled(pairs)[:80].encode(errors="replace").decode()
        raise ValueError(f"the key '{shown}' occurs twice.")
    return found


def _first_doubled(pairs: list[tuple[str, Any]]) -> str:
    seen: set[str] = set()
    return next(name for name, _ in pairs if name in seen or seen.add(name))


def _finite(text: str) -> float:
    number = float(text)
    if not isfinite(number):
        raise ValueError(f"{text[:80]} is too large a number.")
    return number
