"""Results as callers get them, whichever provider found them."""

from collections.abc import Iterator, Mapping
from math import isfinite
from typing import Any, cast
from urllib.parse import urlsplit

from callmissed_ai.dialects.json_reply import UnusableReply

_MAX_URL = 8_192


def found(reply: Mapping[str, Any], most: int) -> Mapping[str, Any]:
    """Results, answer and images of a provider's `reply`, at most so many. Raises UnusableReply without a list."""
    results, images = reply.get("results"), reply.get("images")
    if not isinstance(results, list):
        raise UnusableReply("no results")
    return {
        "results": list(_results(cast("list[object]", results)))[:most],
        "answer": _text(reply.get("answer")),
        "images": list(filter(_host, cast("list[object]", images)))[:most] if isinstance(images, list) else None,
    }


def _results(rows: list[object]) -> Iterator[Mapping[str, Any]]:
    """Those with an address that a browser opens."""
    for row in rows:
        if not isinstance(row, dict):
            continue
        fields = cast("Mapping[str, Any]", row)
        url = fields.get("url")
        if not (host := _host(url)):
            continue
        yield {
            "title": _text(fields.get("title")) or "",
            "url": url,
            "snippet": _text(fields.get("snippet")),
            "content": _text(fields.get("content")),
            "published_date": _text(fields.get("published_date")),
            "score": _number(fields.get("score")),
            "source": _text(fields.get("source")) or host,
        }


def _host(url: object) -> str | None:
    """The host of a web address; None for what is none, such as `javascript:`."""
    if not isinstance(url, str) or len(url) > _MAX_URL or any(letter <= " " for letter in url):
        return None
    try:
        parts = urlsplit(url)
        return parts.hostname if parts.scheme in ("http", "https") else None
    except ValueError:
        return None


def _text(value: object) -> str | None:
    return value or None if isinstance(value, str) else None


def _number(value: object) -> float | None:
    is_number = (
        isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e300 and isfinite(value)
    )
    return float(cast(float, value)) if is_number else None
