"""Exa: search by meaning, with the text of the pages. https://exa.ai/docs/reference/search

Up to ten results with text and highlights are one price; each further one costs, and the deep types cost nearly twice
as much (https://exa.ai/docs/reference/pricing). An error has its words in `error` and its kind in `tag`
(https://exa.ai/docs/reference/error-codes).
"""

from collections.abc import Mapping, Sequence
from typing import Any

from callmissed_ai.dialects.json_reply import UnusableReply
from callmissed_ai.providers.json_api import JsonTransport
from callmissed_ai.providers.search_fields import REGION, check_type, object_of, refuse_fields, rows_of, texts_of
from callmissed_ai.transports.base import Transport, UpstreamCall

_DEEP = ("deep-lite", "deep")
_TYPES = ("auto", "fast", "instant", *_DEEP)
_INCLUDED_RESULTS = 10
_NAMES: Mapping[str, str] = {
    "search_type": "type",
    "include_domains": "includeDomains",
    "exclude_domains": "excludeDomains",
}
_MOMENTS: Mapping[str, tuple[str, str]] = {
    "start_published_date": ("startPublishedDate", "T00:00:00.000Z"),
    "end_published_date": ("endPublishedDate", "T23:59:59.999Z"),
}


class _Exa:
    """Implements `NativeApi`, `ChargesExtra` and `JsonApi`."""

    def check(self, call: UpstreamCall) -> None:
        """See `NativeApi.check`."""
        refuse_fields(call, "exa", REGION)
        check_type(call, "exa", _TYPES)

    def extras(self, call: UpstreamCall) -> Sequence[str]:
        """See `ChargesExtra.extras`."""
        deep = ["search_type"] if call.json.get("search_type") in _DEEP else []
        return [*deep, "num_results"] if call.json["num_results"] > _INCLUDED_RESULTS else deep

    def transport(self, http: Transport) -> Transport:
        """See `NativeApi.transport`."""
        return JsonTransport(self, http)

    def request(self, call: UpstreamCall) -> UpstreamCall:
        """See `JsonApi.request`."""
        asked = call.json
        contents = {"highlights": True, **({"text": True} if asked.get("include_content") else {})}
        body = {"query": asked["query"], "numResults": asked["num_results"], "contents": contents}
        body |= {theirs: asked[ours] for ours, theirs in _NAMES.items() if ours in asked}
        body |= {theirs: asked[ours] + time for ours, (theirs, time) in _MOMENTS.items() if ours in asked}
        return UpstreamCall("/search", body)

    def reply(self, call: UpstreamCall, reply: Mapping[str, Any]) -> Mapping[str, Any]:
        """See `JsonApi.reply`."""
        if not isinstance(reply.get("results"), list):
            raise UnusableReply("no results")
        written = object_of(reply.get("output")).get("content")
        return {"results": [_result(row) for row in rows_of(reply["results"])], "answer": written, "images": None}


def _result(row: Mapping[str, Any]) -> Mapping[str, Any]:
    return {
        "title": row.get("title"),
        "url": row.get("url"),
        "snippet": " … ".join(texts_of(row.get("highlights"))),
        "content": row.get("text"),
        "published_date": row.get("publishedDate"),
        "score": row.get("score"),
    }


API = _Exa()
