"""Firecrawl: search with the pages as Markdown. https://docs.firecrawl.dev/api-reference/endpoint/search

Up to ten results are one price. Ten more are another one, and so is each page that is read, of a PDF each of its pages
(https://docs.firecrawl.dev/billing).
"""

from collections.abc import Mapping, Sequence
from typing import Any

from callmissed.errors import invalid_request
from callmissed_ai.dialects.json_reply import UnusableReply
from callmissed_ai.providers.json_api import JsonTransport
from callmissed_ai.providers.search_fields import days_of, object_of, refuse_fields, rows_of
from callmissed_ai.transports.base import Transport, UpstreamCall

_MAX_QUERY = 500
_INCLUDED_RESULTS = 10
_NAMES: Mapping[str, str] = {
    "include_domains": "includeDomains",
    "exclude_domains": "excludeDomains",
    "tbs": "tbs",
}


class _Firecrawl:
    """Implements `NativeApi`, `ChargesExtra` and `JsonApi`."""

    def check(self, call: UpstreamCall) -> None:
        """See `NativeApi.check`."""
        refuse_fields(call, "firecrawl", ("hl", "search_type"))
        asked = call.json
        if len(asked["query"]) > _MAX_QUERY:
            raise invalid_request(f"A query of 'firecrawl' has {_MAX_QUERY} characters at most.", "query")
        if "include_domains" in asked and "exclude_domains" in asked:
            raise invalid_request("'firecrawl' takes one list of domains, not both.", "exclude_domains")
        if "tbs" in asked and days_of(asked):
            raise invalid_request("'firecrawl' takes 'tbs' or dates, not both.", "tbs")

    def extras(self, call: UpstreamCall) -> Sequence[str]:
        """See `ChargesExtra.extras`."""
        pages = ["include_content"] if call.json.get("include_content") else []
        return [*pages, "num_results"] if call.json["num_results"] > _INCLUDED_RESULTS else pages

    def transport(self, http: Transport) -> Transport:
        """See `NativeApi.transport`."""
        return JsonTransport(self, http)

    def request(self, call: UpstreamCall) -> UpstreamCall:
        """See `JsonApi.request`."""
        asked = call.json
        body: dict[str, Any] = {"query": asked["query"], "limit": asked["num_results"], "sources": ["web"]}
        body |= {theirs: asked[ours] for ours, theirs in _NAMES.items() if ours in asked}
        if "gl" in asked:
            body["country"] = asked["gl"].upper()
        if days := days_of(asked):
            first, last = (f"{day:%m/%d/%Y}" for day in days)
            body["tbs"] = f"cdr:1,cd_min:{first},cd_max:{last}"
        if asked.get("include_content"):
            body["scrapeOptions"] = {"formats": ["markdown"]}
        return UpstreamCall("/search", body)

    def reply(self, call: UpstreamCall, reply: Mapping[str, Any]) -> Mapping[str, Any]:
        """See `JsonApi.reply`."""
        data = object_of(reply.get("data"))
        if (
            reply.get("success") is not True
            or not isinstance(reply.get("data"), dict)
            or not isinstance(data.get("web", []), list)
        ):
            raise UnusableReply("no results")
        return {"results": [_result(row) for row in rows_of(data.get("web"))], "answer": None, "images": None}


def _result(row: Mapping[str, Any]) -> Mapping[str, Any]:
    return {
        "title": row.get("title"),
        "url": row.get("url"),
        "snippet": row.get("description"),
        "content": row.get("markdown"),
    }


API = _Firecrawl()
