"""Serper: Google's result pages as JSON. https://serper.dev"""

from collections.abc import Mapping
from typing import Any

from callmissed_ai.dialects.json_reply import UnusableReply
from callmissed_ai.providers.json_api import JsonTransport
from callmissed_ai.providers.search_fields import DAYS, DOMAINS, REGION, check_type, object_of, refuse_fields, rows_of
from callmissed_ai.transports.base import Transport, UpstreamCall

_KINDS = ("search", "news", "images")


class _Serper:
    """Implements `NativeApi` and `JsonApi`."""

    def check(self, call: UpstreamCall) -> None:
        """See `NativeApi.check`."""
        refuse_fields(call, "serper", (*DOMAINS, *DAYS, "include_content"))
        check_type(call, "serper", _KINDS)

    def transport(self, http: Transport) -> Transport:
        """See `NativeApi.transport`."""
        return JsonTransport(self, http)

    def request(self, call: UpstreamCall) -> UpstreamCall:
        """See `JsonApi.request`."""
        asked = call.json
        body = {"q": asked["query"], "num": asked["num_results"]}
        return UpstreamCall(
            f"/{asked.get('search_type', 'search')}", body | {name: asked[name] for name in REGION if name in asked}
        )

    def reply(self, call: UpstreamCall, reply: Mapping[str, Any]) -> Mapping[str, Any]:
        """See `JsonApi.reply`."""
        kind = call.json.get("search_type", "search")
        found = reply.get("organic" if kind == "search" else kind)
        if not isinstance(found, list):
            raise UnusableReply("no results")
        rows, box = rows_of(reply.get("organic" if kind == "search" else kind)), object_of(reply.get("answerBox"))
        return {
            "results": [{**row, "url": row.get("link"), "published_date": row.get("date")} for row in rows],
            "answer": box.get("answer") or box.get("snippet"),
            "images": [row.get("imageUrl") for row in rows] if kind == "images" else None,
        }


API = _Serper()
