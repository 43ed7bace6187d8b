"""POST /v1/search."""

from fastapi import Request, Response

from callmissed.web.openapi import answer
from callmissed_ai.services.search.request import SearchRequest
from callmissed_ai.services.search.work import SERVICE
from functions.inference.call_router import CallDescription, CallRouter
from functions.inference.serving import serve

_FOUND = {
    "query": "voice agents",
    "mode": "auto",
    "provider": "google",
    "results": [{"title": "Voice agents", "url": "https://example.com/", "snippet": "…", "source": "example.com"}],
    "answer": None,
    "images": None,
    "credits_used": 1.0,
    "balance": 99.0,
    "request_id": "search-0123",
    "latency_ms": 420,
}
_DESCRIPTION = CallDescription(
    request=SearchRequest,
    example={"query": "voice agents", "provider": "sandbox-search", "num_results": 3},
    answer={"description": "The pages that were found.", **answer("SearchOut", _FOUND)},
)

router = CallRouter("search")


@router.call("/v1/search", summary="Search the web", description=_DESCRIPTION)
async def create_search(request: Request) -> Response:
    """Search the web through one of several providers, in one format.

    A flat price for each success; a search that fails costs nothing. Without `provider` the tenant's own comes first;
    the next one is asked when one fails. `mode` chooses among the providers, and some fields belong to one mode;
    a provider that is named is asked alone, with any field that it has. With an `Idempotency-Key` the search runs and
    costs once in 24 hours.
    """
    return await serve(request, SERVICE)
