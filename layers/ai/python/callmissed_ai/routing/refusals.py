"""Bodies of upstreams that refuse: where the error is in them, and whether it is the caller's fault at all."""

import json
import re
from collections.abc import Mapping
from typing import Any, cast

_OUR_ACCOUNT = re.compile(
    "|".join(
        (
            r"api key not valid|(incorrect|invalid) api key|credit balance is too low|not enough credits",
            r"in good standing|billing (is )?not (active|enabled)|billing hard limit|please enable billing",
            r"exceeds your quota|exceeds the service quota|organization has been (restricted|disabled)",
            r"user location is not supported|request signature does not conform|do not have permission",
            r"model identifier is invalid|with on-demand throughput|operation not allowed|end of its life",
            r"no such model|has been decommissioned|terms acceptance|does not work with the specified model",
        )
    ),
    re.IGNORECASE,
)
"""Words of providers that answer 400 for a key, an account or a model's id of ours."""

_FLAGGED = re.compile(r"requires moderation|input was flagged", re.IGNORECASE)
_NO_PROVIDER = re.compile(
    r"no allowed providers are available|no endpoints (found|available) (matching|that)", re.IGNORECASE
)

FLAGGED: Mapping[str, Any] = {"code": "content_policy_violation"}
"""The error of a request that a filter refuses, as most providers have it."""


def error_of(body: bytes) -> object:
    """The error in the body of a refusal, None where there is none.

    It is `error` in most, of xAI as a text, and `detail` of ElevenLabs. Gemini puts a list around the body, Cloudflare
    has a list `errors`, and Mistral's body is the error itself.
    """
    try:
        value: Any = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if isinstance(value, list) and value:
        value = cast("list[Any]", value)[0]
    if not isinstance(value, dict):
        return None
    fields = cast("dict[str, Any]", value)
    error, errors, detail = (fields.get(name) for name in ("error", "errors", "detail"))
    if isinstance(error, str):
        return {"message": error}
    if not error and isinstance(errors, list) and errors:
        return cast("list[Any]", errors)[0]
    return error or (cast("dict[str, Any]", detail) if isinstance(detail, dict) else fields)


def is_about_our_account(error: object) -> bool:
    """Whether a 4xx is about the operator's key or account with the provider, which no caller can change."""
    return _says(error, _OUR_ACCOUNT)


def is_about_content(error: object) -> bool:
    """Whether a 403 is OpenRouter's for input that a model's moderation refuses."""
    return _says(error, _FLAGGED)


def is_about_wishes(error: object) -> bool:
    """Whether a 404 is OpenRouter's for preferences that none of its providers fits."""
    return _says(error, _NO_PROVIDER)


def _says(error: object, words: re.Pattern[str]) -> bool:
    message = cast("Mapping[str, Any]", error).get("message") if isinstance(error, dict) else None
    return isinstance(message, str) and words.search(message) is not None
