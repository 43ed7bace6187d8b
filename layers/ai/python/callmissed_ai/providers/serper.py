"""Serper: Google's result pages as JSON. https://serper.dev"""

from collections.abc import Mapping
from typing import Any, cast
from urllib.parse import urlsplit

from callmissed.errors import invalid_request
from callmissed_ai.dialects.json_reply import UnusableReply
from callmissed_ai.providers.json_api import JsonTransport
from callmissed_ai.transports.base import Transport, UpstreamCall

_KINDS = ("search", "news", "images")
_PASSED = ("gl", "hl", "tbs")
_DETAILED = (
    "include_domains",
    "exclude_domains",
    "start_published_date",
    "end_published_date",
    "include_content",
)


class _Serper:
    """Implements `NativeApi` and `JsonApi`."""

    def check(self, call: UpstreamCall) -> None:
        """See `NativeApi.check`."""
        for name in _DETAILED:
            if name in call.json:
                raise invalid_request(f"'{name}' can't be used with the provider 'serper'.", name)
        if call.json.get("search_type", "search") not in _KINDS:
            raise invalid_request("'search_type' of 'serper' is search, news or images.", "search_type")

    def transport(self, http: Transport) -> Transport:
        """See `NativeApi.transport`."""
        return JsonTransport(self, http)

    def request(self, call: UpstreamCall) -> UpstreamCall:
        """See `JsonApi.request`."""
        asked = call.json
        body = {"q": asked["query"], "num": asked["num_results"]}
        return UpstreamCall(
            f"/{asked.get('search_type', 'search')}", body | {name: asked[name] for name in _PASSED if name in asked}
        )

    def reply(self, call: UpstreamCall, reply: Mapping[str, Any]) -> Mapping[str, Any]:
        """See `JsonApi.reply`."""
        kind = call.json.get("search_type", "search")
        found = reply.get("organic" if kind == "search" else kind)
        if not isinstance(found, list):
            raise UnusableReply("no results")
        rows = [cast("Mapping[str, Any]", row) for row in cast("list[object]", found) if isinstance(row, dict)]
        boxed = reply.get("answerBox")
        box: Mapping[str, Any] = cast("Mapping[str, Any]", boxed) if isinstance(boxed, dict) else {}
        return {
            "results": [_result(row) for row in rows],
            "answer": box.get("answer") or box.get("snippet"),
            "images": [row["imageUrl"] for row in rows if "imageUrl" in row] if kind == "images" else None,
        }


def _result(row: Mapping[str, Any]) -> Mapping[str, Any]:
    url = str(row.get("link") or "")
    return {
        "title": str(row.get("title") or ""),
        "url": url,
        "snippet": row.get("snippet"),
        "content": None,
        "published_date": row.get("date"),
        "score": None,
        "source": urlsplit(url).hostname,
    }


API = _Serper()
