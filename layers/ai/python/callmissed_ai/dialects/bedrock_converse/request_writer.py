"""From the neutral conversation to a request for Converse."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from callmissed.errors import invalid_request
from callmissed_ai.dialects.anthropic_messages.request_writer import unsupported
from callmissed_ai.dialects.anthropic_messages.rules.schemas import supported_schema
from callmissed_ai.dialects.anthropic_messages.rules.thinking import sampling_of
from callmissed_ai.dialects.anthropic_messages.rules.turns import BlockForm, MessageBlocks, messages_of
from callmissed_ai.dialects.bedrock_converse.claude import ClaudeThinking, claude_thinking
from callmissed_ai.dialects.bedrock_converse.content import ContentWriter, with_cache_points, with_text
from callmissed_ai.dialects.bedrock_converse.families import Family, family_of
from callmissed_ai.dialects.bedrock_converse.tools import tool_fields
from callmissed_ai.dialects.conversation import Conversation, OutputFormat
from callmissed_ai.dialects.dialect import Target
from callmissed_ai.dialects.ids import restricted_id
from callmissed_ai.dialects.reasoning.open_turn import check_end, start_of_open_turn
from callmissed_ai.dialects.tools import checked_tools

_USER = re.compile(r"[a-zA-Z0-9 :_@$#=/+,.-]{1,256}")
_FORM = BlockForm(
    text=lambda text: {"text": text},
    is_result=lambda block: "toolResult" in block,
    is_thought=lambda block: "reasoningContent" in block,
)


def write_request(conversation: Conversation, target: Target) -> dict[str, Any]:
    """The request's body, without the output limit. Raises ApiError 400 for what Converse can't hold."""
    family = family_of(target.upstream_id, target.model.id)
    conversation = checked_tools(conversation)
    if not family.is_claude:
        check_end(conversation)
    content = ContentWriter(family, target)
    messages = _messages(conversation, content)
    config, choice = tool_fields(conversation, family, content)
    claudes = claude_thinking(conversation, messages, target) if family.is_claude else ClaudeThinking(None, None)
    thinking = {"thinking": claudes.thinking} if claudes.thinking else _thinking(conversation, family, target)
    sampling = _sampling(conversation, family, claudes)
    sections: dict[str, Any] = {
        "system": list(_system(conversation, content)),
        "toolConfig": config,
        "outputConfig": _output(conversation, family, claudes.effort),
        "additionalModelRequestFields": {**thinking, **_top_k(sampling.pop("top_k", None), family), **choice},
        "additionalModelResponseFieldPaths": ["/stop_sequence"] if conversation.stop and family.is_claude else [],
        "requestMetadata": _metadata(conversation),
    }
    return {
        "messages": messages,
        "inferenceConfig": _inference(conversation, sampling),
        **{name: section for name, section in sections.items() if section},
    }


def _messages(conversation: Conversation, content: ContentWriter) -> list[dict[str, Any]]:
    messages = list(messages_of(_written_turns(conversation, content), _FORM))
    if not messages:
        raise invalid_request("Invalid 'messages': there must be a message of the user.", "messages")
    return [{**message, "content": list(with_cache_points(with_text(message["content"])))} for message in messages]


def _system(conversation: Conversation, content: ContentWriter) -> Iterator[dict[str, Any]]:
    for turn in conversation.turns:
        if turn.role == "system":
            yield from with_cache_points(content.blocks(turn))


def _written_turns(conversation: Conversation, content: ContentWriter) -> Iterator[MessageBlocks]:
    open_since = start_of_open_turn(conversation.turns)
    for number, turn in enumerate(conversation.turns):
        if turn.role != "system":
            yield MessageBlocks(turn.role, content.blocks(turn, is_open=number >= open_since), turn.param)


def _inference(conversation: Conversation, sampling: Mapping[str, Any]) -> dict[str, Any]:
    if any(not text.strip() for text in conversation.stop):
        raise invalid_request("Invalid 'stop': this model's provider takes no text that is only white space.", "stop")
    options: dict[str, Any] = {
        "temperature": sampling.get("temperature"),
        "topP": sampling.get("top_p"),
        "stopSequences": list(conversation.stop) or None,
    }
    return {name: value for name, value in options.items() if value is not None}


def _thinking(conversation: Conversation, family: Family, target: Target) -> Mapping[str, Any]:
    if family.is_claude:
        return {}
    if family.thinking:
        return family.thinking(conversation, target.output_limit)
    reasoning = conversation.reasoning
    if reasoning.budget or reasoning.mode in ("on", "adaptive") or reasoning.effort not in (None, "none"):
        raise unsupported("reasoning")
    return {}


def _sampling(conversation: Conversation, family: Family, claudes: ClaudeThinking) -> dict[str, Any]:
    sampled = sampling_of(conversation, claudes.thinking)
    if family.is_claude:
        return sampled
    given = {name: getattr(conversation, name) for name in ("temperature", "top_p", "top_k")}
    return {name: value for name, value in given.items() if value is not None}


def _top_k(top_k: int | None, family: Family) -> Mapping[str, Any]:
    if top_k is None:
        return {}
    if not family.top_k:
        raise unsupported("top_k")
    value: Any = top_k
    for name in reversed(family.top_k):
        value = {name: value}
    return value


def _output(conversation: Conversation, family: Family, effort: str | None) -> dict[str, Any]:
    wanted = conversation.output_format
    output = {"effort": effort, "textFormat": _format(wanted, family) if wanted else None}
    return {name: value for name, value in output.items() if value is not None}


def _format(wanted: OutputFormat, family: Family) -> dict[str, Any]:
    if wanted.schema is None:
        raise unsupported("response_format")
    schema = supported_schema(wanted.schema) if family.is_claude else wanted.schema
    named = {"name": wanted.name, "description": wanted.description}
    text = json.dumps(schema, ensure_ascii=False, separators=(",", ":"))
    given = {name: value for name, value in named.items() if value}
    return {"type": "json_schema", "structure": {"jsonSchema": {"schema": text, **given}}}


def _metadata(conversation: Conversation) -> dict[str, str]:
    """Who the call is for, in the alphabet of the account's own log."""
    return {"user": restricted_id(conversation.user, _USER, "user_")} if conversation.user else {}
