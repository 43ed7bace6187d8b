"""GET /v1/generation: what a past call used and cost."""

from typing import Any

from fastapi import APIRouter, Query, Request

from callmissed import money
from callmissed.aws.dynamodb import Unavailable
from callmissed.clock import iso
from callmissed.errors import ApiError, service_unavailable
from callmissed.ids import is_call_id
from callmissed.ledger.entries import LedgerEntry, Try, Usage
from callmissed.web.gateway_route import GatewayRoute
from callmissed.web.openapi import JSON, reference
from callmissed_ai.calls.container import Container
from callmissed_ai.charges import CACHE_WRITE_TOKENS, CACHED_INPUT_TOKENS, COUNTED, INPUT_UNITS, OUTPUT_TOKENS
from functions.inference.error_responses import keyed_errors
from functions.inference.serving import authenticate_owner

_UNITS = frozenset(counted for counted, _ in COUNTED.values())

router = APIRouter(tags=["chat"], route_class=GatewayRoute)


@router.get(
    "/v1/generation",
    summary="Get a past call's usage and cost",
    responses={
        200: {"content": {JSON: {"schema": reference("GenerationAnswerOut")}}},
        **keyed_errors(invalid="`invalid_request_error`: `id` is missing", not_found="`not_found`: no such call"),
    },
)
async def generation(
    request: Request, id: str = Query(description="`X-Generation-Id` of the call; its request id works too.")
) -> dict[str, Any]:
    """Tokens or units, provider, tries, cost in credits and latency in milliseconds of one call of the key's tenant.

    A test key sees calls of test keys, a live one those of live ones. 404 for an id of another tenant, of a call that
    failed, and of none.
    """
    container: Container = request.app.state.container
    owner = await authenticate_owner(request)
    call_id = id.removeprefix("gen_").removeprefix("req_")
    try:
        entry = await container.ledger.entry(owner.tenant, call_id) if is_call_id(call_id) else None
    except Unavailable as error:
        raise service_unavailable() from error
    if entry is None or entry.usage is None or entry.sandbox != owner.sandboxed:
        raise ApiError(404, "not_found", "No such generation.", param="id")
    return {"data": _rendered(entry, entry.usage)}


def _rendered(entry: LedgerEntry, usage: Usage) -> dict[str, Any]:
    used = usage.quantities
    return {
        "id": f"gen_{entry.entry_id}",
        "request_id": f"req_{entry.entry_id}",
        "model": usage.model,
        "provider": usage.provider,
        "upstream_model": usage.upstream_id,
        "tries": [
            {"provider": each.provider, "model": each.model, "outcome": each.outcome}
            for each in (*usage.tries, Try(usage.provider, usage.served or usage.model, "served"))
        ],
        "created_at": iso(entry.created),
        "streamed": usage.streamed,
        "outcome": usage.outcome,
        "tokens_prompt": sum(used.get(unit, 0) for unit in INPUT_UNITS),
        "tokens_cached": used.get(CACHED_INPUT_TOKENS, 0),
        "tokens_cache_write": used.get(CACHE_WRITE_TOKENS, 0),
        "tokens_completion": used.get(OUTPUT_TOKENS, 0),
        "tokens_estimated": usage.estimated,
        "units": {unit: quantity for unit, quantity in used.items() if unit in _UNITS},
        "cost_credits": money.credits(entry.amount),
        "price_version": usage.price_version,
        "latency_ms": usage.latency_ms,
        "first_byte_ms": usage.first_byte_ms,
        "sandbox": entry.sandbox,
    }
