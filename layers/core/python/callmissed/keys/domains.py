"""Domain locks: the web origins from which a key works.

A lock is an exact host (`app.example.com`) or every host below one (`*.example.com`), over https; on this machine
(`localhost`) over http too. `http://` or `https://` before it names the only scheme. Ports are not compared. The
caller's origin is the `Origin` header, else the `Referer`; a locked key without either is refused.
"""

import re
from collections.abc import Collection
from functools import lru_cache
from urllib.parse import urlsplit

from callmissed.errors import invalid_request

_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_PATTERN = re.compile(rf"(?P<scheme>https?://)?(?P<hosts>(\*\.)?({_LABEL}\.)*{_LABEL})")
_LOOPBACK_ADDRESS = re.compile(r"127(\.\d{1,3}){3}")
_HTTP, _HTTPS = "http://", "https://"
_MAX_LABELS = 12
_MAX_HOST_LENGTH = 253


def lockable(text: str) -> str:
    """The canonical form of a domain lock. Raises ApiError 400 for anything else.

    `https://` is left out where a lock without it means the same.
    """
    found = _PATTERN.fullmatch(text.strip().lower().rstrip("."))
    if found is None or len(found["hosts"]) > _MAX_HOST_LENGTH:
        shown = text[:80].encode(errors="replace").decode()
        why = "is not a host name, nor '*.' and a host name, with 'https://' or 'http://' before it or without."
        raise invalid_request(f"'{shown}' {why}", "allowed_domains")
    scheme, hosts = found["scheme"] or "", found["hosts"]
    return hosts if scheme == _HTTPS and not _is_loopback(hosts) else scheme + hosts


@lru_cache(maxsize=128)
def page_origin(origin: str | None, referer: str | None) -> str | None:
    """Scheme and host of the calling page, such as `https://app.example.com`; None without a page of the web."""
    try:
        parts = urlsplit(origin or referer or "")
        host = (parts.hostname or "").rstrip(".")
    except ValueError:
        return None
    is_host = 0 < len(host) <= _MAX_HOST_LENGTH and "*" not in host
    return f"{parts.scheme}://{host}" if is_host and parts.scheme in ("http", "https") else None


def patterns_for(origin: str) -> list[str]:
    """Every lock that allows `origin`, in canonical form."""
    scheme, _, host = origin.partition("://")
    hosts = _hosts_for(host)
    if _is_loopback(host):
        return [*hosts, *(f"{scheme}://{each}" for each in hosts)]
    return hosts if scheme == "https" else [_HTTP + each for each in hosts]


def is_allowed(locks: Collection[str], origin: str | None) -> bool:
    """True when a key with `locks` works from `origin`."""
    if "*" in locks:
        return True
    return origin is not None and any(pattern in locks for pattern in patterns_for(origin))


def _is_loopback(host: str) -> bool:
    if host.startswith("127."):
        return _LOOPBACK_ADDRESS.fullmatch(host) is not None
    return host == "localhost" or host.endswith(".localhost")


def _hosts_for(host: str) -> list[str]:
    """`host`, and with an asterisk every host above it. Nothing is above an IPv4 address."""
    labels = host.split(".")
    if len(labels) > _MAX_LABELS or labels[-1].isdigit():
        return [host]
    return [host] + ["*." + ".".join(labels[start:]) for start in range(1, len(labels))]
