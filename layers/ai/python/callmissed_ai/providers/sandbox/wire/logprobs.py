"""Log probabilities: the sandbox is certain of every token, so each is 0.0 and has no alternatives."""

from typing import Any

from callmissed_ai.providers.sandbox import tokens


def logprobs_of(text: str, top: int | None) -> dict[str, Any]:
    """The `logprobs` object for `text`; with `top` of 1 or more each token is listed as its own best."""
    return {"content": [_entry(token, top or 0) for token in tokens.split(text)], "refusal": None}


def _entry(token: str, top: int) -> dict[str, Any]:
    certain = {"token": token, "logprob": 0.0, "bytes": list(token.encode())}
    return {**certain, "top_logprobs": [certain] if top else []}
