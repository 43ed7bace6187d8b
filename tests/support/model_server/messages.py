"""The model server's messages, written by https://platform.claude.com/docs/en/api/messages/create."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, get_type_hints

from anthropic.types.message_create_params import MessageCreateParamsNonStreaming
from pydantic import TypeAdapter

from tests.support.model_server.brain import Prompt, Refused, Said, as_text, halves, signature_of
from tests.support.model_server.checks import check_types
from tests.support.model_server.events import Answer, named_event

_KNOWN = {*get_type_hints(MessageCreateParamsNonStreaming), "stream", "temperature", "top_k", "top_p"}
_TYPES = TypeAdapter[Any](MessageCreateParamsNonStreaming)
_ENDS = {"end": "end_turn", "stop": "stop_sequence", "limit": "max_tokens", "calls": "tool_use"}
_CHOICES = {"any": "required"}
_ID = re.compile(r"[a-zA-Z0-9_-]+")
_KINDS = {400: "invalid_request_error", 413: "request_too_large", 429: "rate_limit_error", 529: "overloaded_error"}


def read(body: Mapping[str, Any]) -> Prompt:
    """The prompt in a request. Raises Refused for what the API does not take."""
    _check(body)
    messages = [(message["role"], _blocks(message["content"])) for message in body["messages"]]
    users = [(number, blocks) for number, (role, blocks) in enumerate(messages) if role == "user" and _texts(blocks)]
    last, user = users[-1] if users else (-1, [])
    results = [block for _, blocks in messages[max(last, 0) :] for block in blocks if block["type"] == "tool_result"]
    output, choice = body.get("output_config") or {}, body.get("tool_choice") or {"type": "auto"}
    system = _blocks(body.get("system") or [])
    return Prompt(
        said=" ".join(_texts(user)),
        system=" ".join(_texts(system)),
        tools={tool["name"]: tool["input_schema"] for tool in body.get("tools") or ()},
        choice=choice.get("name") or _CHOICES.get(choice["type"], choice["type"]),
        results=tuple(map(_result, results)),
        schema=(output.get("format") or {}).get("schema"),
        thinks=_thinks(body) or bool(output.get("effort")),
        limit=body["max_tokens"],
        stops=tuple(body.get("stop_sequences") or ()),
        images=sum(block["type"] == "image" for block in user),
        one_call=bool(choice.get("disable_parallel_tool_use")),
        prompt_words=_word_count(system) + sum(_word_count(blocks) for _, blocks in messages),
        marked_words=_word_count([block for block in system if "cache_control" in block]),
    )


def whole(said: Said, prompt: Prompt) -> Answer:
    """The reply as one object."""
    content: list[dict[str, Any]] = []
    if said.thought:
        content.append({"type": "thinking", "thinking": said.thought, "signature": signature_of(said.thought)})
    if said.text:
        content.append({"type": "text", "text": said.text, "citations": None})
    for id, name, arguments in said.calls:
        content.append({"type": "tool_use", "id": f"toolu_{id}", "name": name, "input": json.loads(arguments)})
    stop = {"stop_reason": _ENDS[said.ended], "stop_sequence": said.stopped_by}
    return Answer(body={**_FRAME, "content": content, **stop, "usage": _usage(prompt, said.words)})


def streamed(said: Said, prompt: Prompt) -> Answer:
    """The reply as events."""
    return Answer(events=list(_events(said, prompt)))


def refused(refusal: Refused) -> Answer:
    """The error in Anthropic's form."""
    error = {"type": _KINDS.get(refusal.status, "api_error"), "message": refusal.message}
    return Answer(status=refusal.status, body={"type": "error", "error": error, "request_id": "req_upstream"})


_FRAME = {"id": "msg_upstream", "type": "message", "role": "assistant", "model": "upstream-model"}


def _events(said: Said, prompt: Prompt) -> Iterator[bytes]:
    beginning = {**_FRAME, "content": [], "stop_reason": None, "stop_sequence": None, "usage": _usage(prompt, 1)}
    yield named_event("message_start", message=beginning)
    yield named_event("ping")
    whole_reply = whole(said, prompt).body or {}
    for index, block in enumerate(whole_reply["content"]):
        yield from _block_events(index, block)
    if said.breaks:
        yield named_event("error", error={"type": "overloaded_error", "message": "Overloaded"})
        return
    stop = {name: whole_reply[name] for name in ("stop_reason", "stop_sequence")}
    yield named_event("message_delta", delta=stop, usage={"output_tokens": said.words})
    yield named_event("message_stop")


def _block_events(index: int, block: Mapping[str, Any]) -> Iterator[bytes]:
    match block["type"]:
        case "thinking":
            empty = {"type": "thinking", "thinking": "", "signature": ""}
            deltas = [{"type": "thinking_delta", "thinking": piece} for piece in halves(block["thinking"])]
            deltas.append({"type": "signature_delta", "signature": block["signature"]})
        case "text":
            empty = {"type": "text", "text": ""}
            deltas = [{"type": "text_delta", "text": piece} for piece in halves(block["text"])]
        case _:
            empty = {**block, "input": {}}
            pieces = halves(json.dumps(block["input"]))
            deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in ["", *pieces]]
    yield named_event("content_block_start", index=index, content_block=empty)
    for delta in deltas:
        yield named_event("content_block_delta", index=index, delta=delta)
    yield named_event("content_block_stop", index=index)


def _usage(prompt: Prompt, output: int) -> dict[str, Any]:
    return {
        "input_tokens": prompt.prompt_words - prompt.marked_words,
        "cache_creation_input_tokens": prompt.marked_words,
        "cache_read_input_tokens": 0,
        "output_tokens": output,
    }


def _check(body: Mapping[str, Any]) -> None:
    if unknown := body.keys() - _KNOWN:
        raise Refused(400, f"{unknown}: Extra inputs are not permitted")
    check_types(_TYPES, {name: value for name, value in body.items() if name != "stream"})
    if _thinks(body):
        _check_thinking(body)
    if body["messages"][0]["role"] != "user":
        raise Refused(400, "messages: first message must use the user role")
    waiting: list[str] = []
    for number, message in enumerate(body["messages"]):
        blocks = _blocks(message["content"])
        _check_blocks(blocks, f"messages.{number}")
        _check_results(blocks, waiting, f"messages.{number}")
        waiting = [block["id"] for block in blocks if block["type"] == "tool_use"]
    _check_blocks(_blocks(body.get("system") or []), "system")


def _check_thinking(body: Mapping[str, Any]) -> None:
    budget = body["thinking"].get("budget_tokens", 1024)
    if not 1024 <= budget < max(body["max_tokens"], 1025):
        raise Refused(400, "thinking.budget_tokens: at least 1024, and less than max_tokens")
    if body.get("temperature", 1) != 1:
        raise Refused(400, "temperature may only be set to 1 when thinking is enabled")
    if (body.get("tool_choice") or {}).get("type") in ("any", "tool"):
        raise Refused(400, "Thinking may not be enabled when tool_choice forces tool use.")


def _check_blocks(blocks: list[dict[str, Any]], where: str) -> None:
    if not blocks and where != "system":
        raise Refused(400, f"{where}: all messages must have non-empty content")
    for block in blocks:
        if block["type"] == "text" and not block["text"].strip():
            raise Refused(400, f"{where}: text content blocks must contain non-whitespace text")
        if block["type"] == "thinking" and not _is_signed(block):
            raise Refused(400, f"{where}: Invalid `signature` in `thinking` block")
        if block["type"] == "tool_use" and not _ID.fullmatch(block["id"]):
            raise Refused(400, f"{where}: tool_use.id: String should match pattern")


def _is_signed(block: Mapping[str, Any]) -> bool:
    """Whether a thought has its signature; one of LangChain's tests brings a signature that the vendor made."""
    signature = block["signature"]
    return signature == signature_of(block["thinking"]) or signature.startswith("ErUB")


def _check_results(blocks: list[dict[str, Any]], waiting: list[str], where: str) -> None:
    """The results of all calls of the message before come first."""
    answered = [block["tool_use_id"] for block in blocks if block["type"] == "tool_result"]
    first = [block["type"] for block in blocks[: len(answered)]]
    if sorted(answered) != sorted(waiting) or set(first) - {"tool_result"}:
        raise Refused(400, f"{where}: `tool_use` ids were found without `tool_result` blocks immediately after")


def _thinks(body: Mapping[str, Any]) -> bool:
    return (body.get("thinking") or {}).get("type") in ("enabled", "adaptive")


def _blocks(content: Any) -> list[dict[str, Any]]:
    return [{"type": "text", "text": content}] if isinstance(content, str) else list(content)


def _texts(blocks: list[dict[str, Any]]) -> list[str]:
    return [block["text"] for block in blocks if block["type"] == "text"]


def _word_count(blocks: list[dict[str, Any]]) -> int:
    return sum(len(text.split()) for text in _texts(blocks))


def _result(block: Mapping[str, Any]) -> str:
    inner = " ".join(_texts(_blocks(block.get("content") or [])))
    return f"Error: {inner}" if block.get("is_error") else as_text(inner)
