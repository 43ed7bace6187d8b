"""Replies of an upstream of each dialect for one usage, written by hand from the vendors' documentation."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from callmissed.catalog.model import UpstreamDialectName
from tests.support.inference.behaviours import DONE, completion, content_events, usage_event
from tests.support.inference.converse import converse_reply, converse_stream
from tests.support.inference.messages import message, message_event, message_stream
from tests.support.inference.responses import response, response_stream


@dataclass(frozen=True, slots=True)
class Spent:
    """Tokens of a reply, none of them in two fields: `fresh`, `cached` and `written` were read, `output` written."""

    fresh: int
    cached: int
    written: int
    output: int

    @property
    def input(self) -> int:
        """Everything that was read."""
        return self.fresh + self.cached + self.written


@dataclass(frozen=True, slots=True)
class BilledUpstream:
    """How an upstream of one dialect says a `Spent`: in a whole reply, and in the events of a stream."""

    whole: Callable[[Spent], dict[str, Any]]
    events: Callable[[Spent], list[bytes]]
    reports_last: int
    """The event, from the end, after which a stream has reported everything."""


def _chat_usage(spent: Spent) -> dict[str, Any]:
    return {
        "prompt_tokens": spent.input,
        "completion_tokens": spent.output,
        "total_tokens": spent.input + spent.output,
        "prompt_tokens_details": {"cached_tokens": spent.cached, "cache_write_tokens": spent.written},
    }


def _messages_usage(spent: Spent) -> dict[str, Any]:
    return {
        "input_tokens": spent.fresh,
        "cache_read_input_tokens": spent.cached,
        "cache_creation_input_tokens": spent.written,
        "output_tokens": spent.output,
    }


def _messages_events(spent: Spent) -> list[bytes]:
    *before, _delta, stop = message_stream(message(usage=_messages_usage(spent)))
    end = {"stop_reason": "end_turn", "stop_sequence": None}
    return [*before, message_event("message_delta", delta=end, usage={"output_tokens": spent.output}), stop]


def _responses_usage(spent: Spent) -> dict[str, Any]:
    return {
        "input_tokens": spent.input,
        "input_tokens_details": {"cached_tokens": spent.cached, "cache_write_tokens": spent.written},
        "output_tokens": spent.output,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": spent.input + spent.output,
    }


def _converse_usage(spent: Spent) -> dict[str, Any]:
    return {
        "inputTokens": spent.fresh,
        "cacheReadInputTokens": spent.cached,
        "cacheWriteInputTokens": spent.written,
        "outputTokens": spent.output,
        "totalTokens": spent.input + spent.output,
    }


UPSTREAMS: Mapping[UpstreamDialectName, BilledUpstream] = {
    "openai_chat": BilledUpstream(
        lambda spent: completion(usage=_chat_usage(spent)),
        lambda spent: [*content_events(), usage_event(_chat_usage(spent)), DONE],
        reports_last=2,
    ),
    "anthropic_messages": BilledUpstream(
        lambda spent: message(usage=_messages_usage(spent)), _messages_events, reports_last=2
    ),
    "openai_responses": BilledUpstream(
        lambda spent: response(usage=_responses_usage(spent)),
        lambda spent: response_stream(response(usage=_responses_usage(spent))),
        reports_last=1,
    ),
    "bedrock_converse": BilledUpstream(
        lambda spent: converse_reply(usage=_converse_usage(spent)),
        lambda spent: converse_stream(converse_reply(usage=_converse_usage(spent))),
        reports_last=1,
    ),
}
