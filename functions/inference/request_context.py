"""The id of a request to `/v1`, and the headers of all its answers."""

from collections.abc import Sequence

from starlette.datastructures import Headers
from starlette.types import Scope

from callmissed.clock import Clock
from callmissed.errors import is_anthropic
from callmissed.web.request_context import RequestContext
from callmissed.web.surface import surface_path
from callmissed_ai.calls.call import AdmittedPayer, new_call
from functions.inference.quota_headers import anthropic_quota_headers

_EXPOSED = (
    "X-Request-Id, X-Generation-Id, Retry-After, X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset, "
    "RateLimit-Policy, X-Quota-Limit, X-Quota-Remaining, X-Usage-Warning, X-CallMissed-Sandbox, "
    "X-CallMissed-Provider, X-CallMissed-Model, X-CallMissed-Engine, Idempotent-Replayed, "
    "request-id, anthropic-ratelimit-requests-limit, anthropic-ratelimit-requests-remaining, "
    "anthropic-ratelimit-requests-reset"
)


def new_call_request(clock: Clock) -> RequestContext:
    """The context of a request, which begins a call; both have the same id."""
    call = new_call(clock)
    return RequestContext(f"req_{call.id}", {"call": call.id}, {"call": call})


def answer_headers(scope: Scope) -> Sequence[tuple[bytes, bytes]]:
    """The key's rate window once it is admitted, and CORS headers for pages that may read the answer."""
    state = scope["state"]
    named = _rate_headers(state["call"].payer) | _anthropic_headers(scope)
    headers = [(name.lower().encode(), value.encode()) for name, value in named.items()]
    sent = Headers(scope=scope).getlist("origin")
    origin = sent[0] if len(sent) == 1 else ""
    if origin and state.get("readable"):
        headers += [
            (b"access-control-allow-origin", origin.encode("latin-1")),
            (b"access-control-expose-headers", _EXPOSED.encode()),
            (b"vary", b"Origin"),
        ]
    return headers


def _anthropic_headers(scope: Scope) -> dict[str, str]:
    """What Anthropic's SDKs read: the id under another name, and the plan's month as a rate limit."""
    if not is_anthropic(surface_path(scope)):
        return {}
    state = scope["state"]
    return {"request-id": state["request_id"], **anthropic_quota_headers(state["call"])}


def _rate_headers(payer: AdmittedPayer | None) -> dict[str, str]:
    if payer is None or payer.key is None:
        return {}
    return payer.key.rate.headers | ({"X-CallMissed-Sandbox": "true"} if payer.is_sandboxed else {})
