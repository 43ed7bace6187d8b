"""What the fields of a request are called in each dialect, so that an error names the caller's own.

The neutral names, which the writers of requests use, are those of the chat dialect.
"""

import re
from collections.abc import Iterator, Mapping

from callmissed.catalog.model import UpstreamDialectName
from callmissed.errors import ApiError

_SAME = {
    name: name
    for name in (
        *(
            "frequency_penalty",
            "logit_bias",
            "logprobs",
            "max_tokens",
            "messages",
            "metadata",
            "n",
            "parallel_tool_calls",
        ),
        *("presence_penalty", "reasoning_effort", "response_format", "seed", "stop", "temperature", "tool_choice"),
        *("tools", "top_k", "top_logprobs", "top_p", "user", "verbosity"),
    )
}
_OWN: Mapping[UpstreamDialectName, Mapping[str, str]] = {
    "openai_chat": {},
    "anthropic_messages": {
        "max_completion_tokens": "max_tokens",
        "parallel_tool_calls": "tool_choice.disable_parallel_tool_use",
        "reasoning.max_tokens": "thinking.budget_tokens",
        "reasoning_effort": "output_config.effort",
        "response_format": "output_config.format",
        "stop": "stop_sequences",
        "user": "metadata.user_id",
    },
    "openai_responses": {
        "max_completion_tokens": "max_output_tokens",
        "max_tokens": "max_output_tokens",
        "messages": "input",
        "reasoning_effort": "reasoning.effort",
        "response_format": "text.format",
        "verbosity": "text.verbosity",
    },
    "bedrock_converse": {
        "max_completion_tokens": "inferenceConfig.maxTokens",
        "max_tokens": "inferenceConfig.maxTokens",
        "stop": "inferenceConfig.stopSequences",
        "temperature": "inferenceConfig.temperature",
        "tool_choice": "toolConfig.toolChoice",
        "tools": "toolConfig.tools",
        "top_p": "inferenceConfig.topP",
    },
}
"""The dialects' own names by the neutral ones, where they differ."""

_FIELD = re.compile(r" \(field '([^']+)'\)")


def in_own_terms(error: ApiError, caller: UpstreamDialectName) -> ApiError:
    """`error`, which names a neutral field, or a place in the caller's request, with the `caller`'s own name."""
    return _renamed(error, error.param, _OWN[caller].get(error.param or "", error.param))


def in_neutral_terms(error: ApiError, upstream: UpstreamDialectName) -> ApiError:
    """An `upstream`'s refusal with the neutral name of its field; without one that the caller can't know."""
    named = _FIELD.search(error.message)
    name = error.param or (named[1] if named else None)
    neutral = {own: name for name, own in _OWN[upstream].items()}
    found = (neutral.get(prefix) or _SAME.get(prefix) for prefix in _prefixes(name or ""))
    return _renamed(error, name, next(filter(None, found), None))


def _prefixes(path: str) -> Iterator[str]:
    """`path`, and the paths of what it is in, such as `tools` for `tools[0].name`."""
    while path:
        yield path
        path = path[: max(path.rfind("."), path.rfind("["), 0)]


def _renamed(error: ApiError, name: str | None, new_name: str | None) -> ApiError:
    if name == new_name:
        return error
    message = error.message.replace(f"'{name}'", f"'{new_name}'") if new_name else _FIELD.sub("", error.message)
    return ApiError(error.status, error.code, message, param=new_name, headers=error.headers)
