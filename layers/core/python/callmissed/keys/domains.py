"""Domain locks: the web origins from which a key works.

A lock is an exact host (`app.example.com`) or every host below one (`*.example.com`), over https; on this machine
(`localhost`) over http too. `http://` or `https://` before it names the only scheme. Ports are not compared. The
caller's origin is the `Origin` header, else the `Referer`; a locked key without either is refused.

Each pattern of a key is an item of its own in the table `domains`, because a preflight carries no key; so no tenant's
locks fill or slow another's.
"""

import asyncio
import re
from collections.abc import Collection, Iterable, Sequence
from functools import lru_cache
from urllib.parse import urlsplit

from callmissed.aws.attributes import Item
from callmissed.aws.database import Database
from callmissed.aws.operations import WriteOperation, discard_operation, put_operation
from callmissed.errors import invalid_request
from callmissed.platform.tables import DOMAINS

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


async def has_lock(database: Database, patterns: Sequence[str]) -> bool:
    """Whether a key is locked to one of `patterns`. A read of one item for each, at once. Raises Unavailable."""
    pages = await asyncio.gather(*(database.page(DOMAINS, pattern, limit=1) for pattern in patterns))
    return any(page.items for page in pages)


def lock_operations(locks: Iterable[str], tenant: str, key_id: str) -> list[WriteOperation]:
    """Write the items of a key's locks."""
    return [put_operation(DOMAINS, key) for key in _lock_keys(locks, tenant, key_id)]


def unlock_operations(locks: Iterable[str], tenant: str, key_id: str) -> list[WriteOperation]:
    """Remove the items of a key's locks, those that exist."""
    return [discard_operation(DOMAINS, key) for key in _lock_keys(locks, tenant, key_id)]


def _lock_keys(locks: Iterable[str], tenant: str, key_id: str) -> list[Item]:
    return [{"pattern": pattern, "key": f"{tenant}#{key_id}"} for pattern in sorted(set(locks) - {"*"})]


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
