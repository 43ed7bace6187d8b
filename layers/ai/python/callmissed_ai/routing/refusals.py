"""Bodies of upstreams that refuse: where the error is in them, and whether it is the caller's fault at all."""

import json
import re
from collections.abc import Mapping
from typing import Any, cast

_OUR_ACCOUNT = re.compile(
    r"api key not valid|(incorrect|invalid) api key|credit balance is too low|in good standing|"
    r"billing (is )?not (active|enabled)|"
    r"model identifier is invalid|with on-demand throughput|operation not allowed|end of its life",
    re.IGNORECASE,
)
"""Words of providers that answer 400 for a key, an account or a model's id of ours."""


def error_of(body: bytes) -> object:
    """The error in the body of a refusal, None where there is none.

    It is `error` in most, of xAI as a text. Gemini puts a list around the body, Cloudflare has a list `errors`, and
    Mistral's body is the error itself.
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
    error, errors = fields.get("error"), fields.get("errors")
    if isinstance(error, str):
        return {"message": error}
    return error or (cast("list[Any]", errors)[0] if isinstance(errors, list) and errors else fields)


def is_about_our_account(error: object) -> bool:
    """Whether a 4xx is about the operator's key or account with the provider, which no caller can change."""
    message = cast("Mapping[str, Any]", error).get("message") if isinstance(error, dict) else None
    return isinstance(message, str) and _OUR_ACCOUNT.search(message) is not None
