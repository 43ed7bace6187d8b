"""Domain locks: the web origins from which a key works.

A lock is an exact host (`app.example.com`) or every host below one (`*.example.com`). The caller's origin is the
`Origin` header, else the `Referer`; a locked key without either is refused.
"""

import re
from collections.abc import Collection
from urllib.parse import urlsplit

from callmissed.errors import invalid_request

_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_PATTERN = re.compile(rf"(\*\.)?({_LABEL}\.)*{_LABEL}")
_MAX_LABELS = 12
_MAX_HOST_LENGTH = 253


def lockable(text: str) -> str:
    """The canonical form of a domain lock. Raises ApiError 400 for anything that isn't a host or `*.` and a host."""
    pattern = text.strip().lower().rstrip(".")
    if len(pattern) > _MAX_HOST_LENGTH or not _PATTERN.fullmatch(pattern):
        shown = text[:80].encode(errors="replace").decode()
        raise invalid_request(f"'{shown}' is not a host name, nor '*.' and a host name.", "allowed_domains")
    return pattern


def origin_host(origin: str | None, referer: str | None) -> str | None:
    """Host of the request's origin, in lower case; None when it is missing or not a valid host."""
    try:
        host = (urlsplit(origin or referer or "").hostname or "").rstrip(".")
    except ValueError:
        return None
    return host if host and len(host) <= _MAX_HOST_LENGTH and "*" not in host else None


def patterns_for(host: str) -> list[str]:
    """Every lock that allows `host`."""
    labels = host.split(".")
    if len(labels) > _MAX_LABELS:
        return [host]
    return [host] + ["*." + ".".join(labels[start:]) for start in range(1, len(labels))]


def is_allowed(locks: Collection[str], host: str | None) -> bool:
    """True when a key with `locks` works from `host`."""
    if "*" in locks:
        return True
    return host is not None and any(pattern in locks for pattern in patterns_for(host))
