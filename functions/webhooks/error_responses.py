"""What the document says of refusals."""

from typing import Any

from functions.webhooks.subscriptions.schemas import Refusal

_MEANINGS = {
    400: "`url_rejected`, `webhook_inactive`, `invalid_request_error`",
    401: "`invalid_api_key`: no key, an unknown, revoked or expired one",
    403: "`permission_denied`: the key lacks the scope `webhooks:write`",
    404: "`not_found`: the tenant has none",
    409: "`webhook_limit_reached`, `conflict`",
    410: "`event_expired`: the event is no longer kept",
    422: "`invalid_request_error`: `details` names what is wrong",
    429: "`rate_limit_exceeded`; wait `Retry-After` seconds",
    503: "`service_unavailable`; nothing was done",
}
_ALWAYS = (401, 403, 429, 503)


def refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The refusals of a route: those of every route, and `statuses`."""
    return {status: {"model": Refusal, "description": _MEANINGS[status]} for status in sorted({*_ALWAYS, *statuses})}
