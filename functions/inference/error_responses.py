"""Errors of routes, as the OpenAPI document describes them."""

from typing import Any

from callmissed.errors import ApiError, is_anthropic, status_on
from callmissed.web.openapi import UNCHANGED, errors

_MEANINGS = {
    400: "`invalid_request_error`, `unsupported_image_input`, `context_length_exceeded`, `invalid_idempotency_key`; "
    "of transcriptions `file_not_uploaded`: the bytes are still to come",
    401: "`invalid_api_key`: no key, an unknown, paused, revoked or expired one",
    402: "`insufficient_credits`, `budget_exceeded`",
    403: "`permission_denied`, `domain_not_allowed`, `model_not_allowed`, `model_not_available`, `account_inactive`, "
    "`account_terminated`; of searches `search_provider_not_allowed`",
    404: "`model_not_found`; of transcriptions `file_not_found`: no such file for audio of this key's tenant",
    409: "`idempotency_conflict`, `idempotency_in_progress`; wait `Retry-After` seconds",
    413: "`file_too_large`: the body is over 4 MB, or the file of a transcription over 25 MB",
    429: "`rate_limit_exceeded`, `quota_exceeded`; wait `Retry-After` seconds",
    502: "`upstream_error`: the provider's reply can't be used; nothing is charged",
    503: "`provider_error`, `model_under_maintenance`, `service_unavailable`; nothing is charged",
}
_TIMED_OUT = "`provider_error`: a provider took too long; nothing is charged"
_KEYED = {
    401: _MEANINGS[401],
    402: "`budget_exceeded`",
    403: "`domain_not_allowed`, `account_inactive`, `account_terminated`",
    429: "`rate_limit_exceeded`; wait `Retry-After` seconds",
    503: "`service_unavailable`",
}
_PUBLIC = {429: _KEYED[429], 503: _KEYED[503]}


def call_errors(path: str) -> dict[int | str, dict[str, Any]]:
    """The errors of the billed call at `path`."""
    more = {504: _TIMED_OUT} if is_anthropic(path) else {}
    return errors(_envelope(path), _on_surface(path, _MEANINGS) | more)


def keyed_errors(path: str = "/v1/", **meanings: str) -> dict[int | str, dict[str, Any]]:
    """The errors of a free call with a key: those of the key, and more by name, such as `not_found`."""
    return errors(_envelope(path), _on_surface(path, _KEYED | _by_status(meanings)))


def listing_errors(**meanings: str) -> dict[int | str, dict[str, Any]]:
    """As `keyed_errors`, for a route that answers Anthropic's SDKs in their form."""
    found = _KEYED | _by_status(meanings)
    both = found | _on_surface("/anthropic/", found)
    return errors("OpenAIErrorEnvelope", both, "AnthropicErrorEnvelope")


def _envelope(path: str) -> str:
    return "AnthropicErrorEnvelope" if is_anthropic(path) else "OpenAIErrorEnvelope"


def _on_surface(path: str, meanings: dict[int, str]) -> dict[int, str]:
    return {status_on(path, ApiError(status, "", "")): meaning for status, meaning in meanings.items()}


def public_errors(**meanings: str) -> dict[int | str, dict[str, Any]]:
    """The answers but 200 of a public route that caches may store."""
    return UNCHANGED | errors("ErrorEnvelope", _PUBLIC | _by_status(meanings))


def _by_status(meanings: dict[str, str]) -> dict[int, str]:
    statuses = {
        "invalid": 400,
        "forbidden": 403,
        "not_found": 404,
        "conflict": 409,
        "too_large": 413,
        "unprocessable": 422,
        "limited": 429,
    }
    return {statuses[name]: meaning for name, meaning in meanings.items()}
