"""Composing the reply to a request: reasoning, then tool calls or text or JSON, within the limit of tokens."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from callmissed_ai.dialects.openai_chat.typed_request import NamedSchema, TypedChatRequest
from callmissed_ai.providers.sandbox import tokens
from callmissed_ai.providers.sandbox.caching import CacheUse
from callmissed_ai.providers.sandbox.conversation import RequestSummary
from callmissed_ai.providers.sandbox.failures import Instructions
from callmissed_ai.providers.sandbox.rejection import Rejected
from callmissed_ai.providers.sandbox.schema_values import SchemaError, check_is_object, check_strict, fitting_json
from callmissed_ai.providers.sandbox.tools import ComposedCall, choose_calls
from callmissed_ai.providers.sandbox.wording import reasoning_text, reply_text

_THINKING_EFFORTS = frozenset({"medium", "high", "xhigh", "max"})
_WORDING_FIELDS = ("model", "messages", "tools", "tool_choice", "response_format")


@dataclass(frozen=True, slots=True)
class Choice:
    """One of the `n` replies. `content` is None where tools are called."""

    reasoning: str
    content: str | None
    tool_calls: tuple[ComposedCall, ...]
    finish_reason: str

    @property
    def tokens(self) -> int:
        """Output tokens, reasoning included."""
        called = sum(call.tokens for call in self.tool_calls)
        return tokens.count(self.reasoning) + tokens.count(self.content or "") + called


@dataclass(frozen=True, slots=True)
class ComposedReply:
    """The reply to one request. `digest` is a hash of the request's body in hexadecimal."""

    digest: str
    created: int
    model: str
    choices: tuple[Choice, ...]
    prompt_tokens: int
    cache: CacheUse

    def call_id(self, choice: int, call: int) -> str:
        """The id of a tool call of a choice."""
        return "call_" + hashlib.sha256(f"{self.digest}/{choice}/{call}".encode()).hexdigest()[:24]

    def frame(self, kind: str) -> dict[str, Any]:
        """The fields that the reply and each of its chunks begin with. `kind` is their `object`."""
        return {
            "id": f"chatcmpl-{self.digest[:32]}",
            "object": kind,
            "created": self.created,
            "model": self.model,
            "service_tier": "default",
            "system_fingerprint": "sandbox",
        }

    def usage(self) -> dict[str, Any]:
        """The `usage` object, in the sandbox's own tokens."""
        completion = sum(choice.tokens for choice in self.choices)
        reasoning = sum(tokens.count(choice.reasoning) for choice in self.choices)
        written = {"cache_write_tokens": self.cache.written} if self.cache.written else {}
        return {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": completion,
            "total_tokens": self.prompt_tokens + completion,
            "prompt_tokens_details": {"cached_tokens": self.cache.read, "audio_tokens": 0, **written},
            "completion_tokens_details": {
                "reasoning_tokens": reasoning,
                "audio_tokens": 0,
                "accepted_prediction_tokens": 0,
                "rejected_prediction_tokens": 0,
            },
        }


def digests(body: Mapping[str, Any]) -> tuple[str, int]:
    """A hash of the whole body, and a number from the fields that shape the wording. Raises Rejected."""
    shaping = {name: body[name] for name in _WORDING_FIELDS if name in body}
    others = {name: value for name, value in body.items() if name not in shaping}
    wording = hashlib.sha256(_canonical(shaping))
    whole = hashlib.sha256(wording.digest() + _canonical(others))
    return whole.hexdigest(), int.from_bytes(wording.digest()[:4], "big")


def compose(
    request: TypedChatRequest, conversation: RequestSummary, instructions: Instructions, wording: int
) -> tuple[Choice, ...]:
    """The choices of the reply. `wording` and the request's seed choose the phrasing. Raises Rejected."""
    calls = choose_calls(request, conversation)
    schema = request.response_format.json_schema if request.response_format else None
    fitting = _schema_text(schema, conversation) if schema and not calls else None
    return tuple(
        _choice(request, conversation, calls, fitting or _text(request, conversation, instructions, wording + index))
        for index in range(request.n or 1)
    )


def check_response_format(request: TypedChatRequest) -> None:
    """Check the schema of the reply by OpenAI's rules. Raises Rejected."""
    schema = request.response_format.json_schema if request.response_format else None
    if not schema or not schema.strict:
        return
    try:
        check_is_object(schema.json_schema)
        check_strict(schema.json_schema)
    except SchemaError as error:
        raise _wrong_schema(schema, error) from None


def _canonical(fields: Mapping[str, Any]) -> bytes:
    try:
        return json.dumps(fields, sort_keys=True, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise Rejected("The request contains half of a surrogate pair.") from None


def _choice(
    request: TypedChatRequest, conversation: RequestSummary, calls: Sequence[ComposedCall], text: str
) -> Choice:
    limit = request.output_limit
    reasoning = tokens.clip(_reasoning(request, conversation), limit)
    left = None if limit is None else limit - tokens.count(reasoning)
    if calls:
        made = _affordable(calls, left)
        return Choice(reasoning, None, made, "tool_calls" if made == tuple(calls) else "length")
    ended = _up_to_stop(text, request.stops)
    content = tokens.clip(ended, left)
    return Choice(reasoning, content, (), "stop" if content == ended else "length")


def _reasoning(request: TypedChatRequest, conversation: RequestSummary) -> str:
    if request.effort not in _THINKING_EFFORTS:
        return ""
    limit = request.reasoning.max_tokens if request.reasoning else None
    return tokens.clip(reasoning_text(conversation, request.effort), limit)


def _text(request: TypedChatRequest, conversation: RequestSummary, instructions: Instructions, variation: int) -> str:
    text = reply_text(request, conversation, instructions, variation + (request.seed or 0))
    if not request.response_format or request.response_format.type != "json_object":
        return text
    reply = {"sandbox": True, "reply": text, "last_user_message": conversation.last_user_text}
    return json.dumps(reply, ensure_ascii=False, separators=(",", ":"))


def _schema_text(schema: NamedSchema, conversation: RequestSummary) -> str:
    try:
        return fitting_json(schema.json_schema, conversation.last_user_text, conversation.tool_results)
    except SchemaError as error:
        raise _wrong_schema(schema, error) from None


def _wrong_schema(schema: NamedSchema, error: SchemaError) -> Rejected:
    return Rejected(f"Invalid schema for response_format '{schema.name}': {error}", "response_format")


def _up_to_stop(text: str, stops: Sequence[str]) -> str:
    found = [text.find(stop) for stop in stops]
    return text[: min((at for at in found if at >= 0), default=len(text))]


def _affordable(calls: Sequence[ComposedCall], left: int | None) -> tuple[ComposedCall, ...]:
    """The calls that `left` tokens allow, the arguments of the last cut short if need be."""
    if left is None:
        return tuple(calls)
    made: list[ComposedCall] = []
    for call in calls:
        room = left - sum(done.tokens for done in made) - tokens.count(call.name)
        if room <= 0:
            break
        made.append(ComposedCall(call.name, tokens.clip(call.arguments, room)))
    return tuple(made)
