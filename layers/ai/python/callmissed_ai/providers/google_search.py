"""Google: an answer of Gemini with the pages that it rests on. https://ai.google.dev/gemini-api/docs/google-search

The tool takes a span of time with both of its ends, and no domains in this API
(https://googleapis.github.io/js-genai/release_docs/interfaces/types.GoogleSearch.html). Addresses lead to the pages by
way of Google; the title of a page is its host.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any, cast
from urllib.parse import quote

from callmissed_ai.dialects.json_reply import UnusableReply
from callmissed_ai.providers.json_api import JsonTransport
from callmissed_ai.providers.search_fields import DOMAINS, REGION, days_of, object_of, refuse_fields, rows_of
from callmissed_ai.transports.base import Transport, UpstreamCall

_MAX_ANSWER_TOKENS = 4_096
_INSTRUCTION = "Search the web for what the user asks, and answer in a few sentences from the pages that you find."


class _GoogleSearch:
    """Implements `NativeApi` and `JsonApi`."""

    def check(self, call: UpstreamCall) -> None:
        """See `NativeApi.check`."""
        refuse_fields(call, "google", (*DOMAINS, "include_content", *REGION, "search_type"))

    def transport(self, http: Transport) -> Transport:
        """See `NativeApi.transport`."""
        return JsonTransport(self, http)

    def request(self, call: UpstreamCall) -> UpstreamCall:
        """See `JsonApi.request`."""
        asked, tool = call.json, dict[str, Any]()
        if days := days_of(asked):
            first, after = days[0], days[1] + timedelta(days=1)
            tool = {"timeRangeFilter": {"startTime": f"{first}T00:00:00Z", "endTime": f"{after}T00:00:00Z"}}
        body = {
            "systemInstruction": {"parts": [{"text": _INSTRUCTION}]},
            "contents": [{"role": "user", "parts": [{"text": asked["query"]}]}],
            "tools": [{"google_search": tool}],
            "generationConfig": {"maxOutputTokens": _MAX_ANSWER_TOKENS},
        }
        return UpstreamCall(f"/models/{quote(asked['model'], safe='')}:generateContent", body)

    def reply(self, call: UpstreamCall, reply: Mapping[str, Any]) -> Mapping[str, Any]:
        """See `JsonApi.reply`. An answer without pages is no search."""
        candidate, *_ = [*rows_of(reply.get("candidates")), dict[str, Any]()]
        grounding = object_of(candidate.get("groundingMetadata"))
        pages = [object_of(chunk.get("web")) for chunk in rows_of(grounding.get("groundingChunks"))]
        if not pages:
            raise UnusableReply("an answer without a search")
        snippets = _snippets(rows_of(grounding.get("groundingSupports")), len(pages))
        results = [
            {"title": page.get("title"), "url": page.get("uri"), "snippet": snippet, "source": page.get("title")}
            for page, snippet in zip(pages, snippets, strict=True)
        ]
        return {"results": results, "answer": "".join(_texts(candidate)), "images": None}


def _texts(candidate: Mapping[str, Any]) -> Iterator[str]:
    for part in rows_of(object_of(candidate.get("content")).get("parts")):
        text = part.get("text")
        if isinstance(text, str) and not part.get("thought"):
            yield text


def _snippets(supports: Sequence[Mapping[str, Any]], pages: int) -> list[str]:
    """What the answer takes from each page."""
    found: list[list[str]] = [[] for _ in range(pages)]
    for support in supports:
        text, places = object_of(support.get("segment")).get("text"), support.get("groundingChunkIndices")
        if isinstance(text, str) and isinstance(places, list):
            for place in {each for each in cast("list[object]", places) if type(each) is int and 0 <= each < pages}:
                found[place].append(text)
    return [" … ".join(texts) for texts in found]


API = _GoogleSearch()
