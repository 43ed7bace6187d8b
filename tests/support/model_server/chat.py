"""The model server's chat completions, written by https://platform.openai.com/docs/api-reference/chat."""

from collections.abc import Iterator, Mapping
from typing import Any, get_type_hints

from openai.types.chat.completion_create_params import CompletionCreateParamsNonStreaming
from pydantic import TypeAdapter

from tests.support.model_server.brain import Prompt, Refused, Said, as_text, halves
from tests.support.model_server.checks import check_types
from tests.support.model_server.events import Answer, data_event

_KNOWN = {*get_type_hints(CompletionCreateParamsNonStreaming), "stream", "top_k"}
_TYPES = TypeAdapter[Any](CompletionCreateParamsNonStreaming)
_ENDS = {"end": "stop", "stop": "stop", "limit": "length", "calls": "tool_calls"}
_FRAME = {"id": "chatcmpl-upstream", "created": 1_780_000_000, "model": "upstream-model"}


def read(body: Mapping[str, Any]) -> Prompt:
    """The prompt in a request. Raises Refused for what the API does not take."""
    _check(body)
    messages = body["messages"]
    last = max((number for number, message in enumerate(messages) if message["role"] == "user"), default=-1)
    user = messages[last] if last >= 0 else {"content": ""}
    tools = {tool["function"]["name"]: tool["function"].get("parameters") or {} for tool in body.get("tools") or ()}
    choice = body.get("tool_choice", "auto")
    stop = body.get("stop") or ()
    wanted = body.get("response_format") or {}
    return Prompt(
        said=_text(user["content"]),
        system=" ".join(_text(each["content"]) for each in messages if each["role"] in ("system", "developer")),
        tools=tools,
        choice=choice if isinstance(choice, str) else choice["function"]["name"],
        results=tuple(_text(each["content"]) for each in messages[last + 1 :] if each["role"] == "tool"),
        schema=_schema(wanted),
        thinks=body.get("reasoning_effort") not in (None, "none"),
        limit=body.get("max_completion_tokens") or body.get("max_tokens") or 10_000,
        stops=(stop,) if isinstance(stop, str) else tuple(stop),
        images=sum(part["type"] == "image_url" for part in _parts(user["content"])),
        one_call=body.get("parallel_tool_calls") is False,
        prompt_words=sum(len(_text(each.get("content")).split()) for each in messages),
    )


def whole(said: Said, prompt: Prompt) -> Answer:
    """The reply as one object."""
    message: dict[str, Any] = {"role": "assistant", "content": said.text or None, "refusal": None}
    if said.thought:
        message["reasoning_content"] = said.thought
    if said.calls:
        message["tool_calls"] = [
            {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}
            for id, name, arguments in said.calls
        ]
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": _ENDS[said.ended]}
    return Answer(body={**_FRAME, "object": "chat.completion", "choices": [choice], "usage": _usage(said, prompt)})


def streamed(said: Said, prompt: Prompt) -> Answer:
    """The reply as events."""
    return Answer(events=list(_events(said, prompt)))


def refused(refusal: Refused) -> Answer:
    """The error in OpenAI's form."""
    error = {"message": refusal.message, "type": "invalid_request_error", "param": None, "code": None}
    return Answer(status=refusal.status, body={"error": error})


def _events(said: Said, prompt: Prompt) -> Iterator[bytes]:
    yield _chunk({"role": "assistant", "content": ""})
    for piece in halves(said.thought):
        if piece:
            yield _chunk({"reasoning_content": piece})
    for piece in halves(said.text):
        if piece:
            yield _chunk({"content": piece})
    if said.breaks:
        yield data_event({"error": {"message": "Overloaded", "type": "server_error", "code": 503}})
        return
    for index, (id, name, arguments) in enumerate(said.calls):
        head = {"index": index, "id": id, "type": "function", "function": {"name": name, "arguments": ""}}
        yield _chunk({"tool_calls": [head]})
        for piece in halves(arguments):
            yield _chunk({"tool_calls": [{"index": index, "function": {"arguments": piece}}]})
    yield _chunk({}, _ENDS[said.ended])
    yield data_event({**_FRAME, "object": "chat.completion.chunk", "choices": [], "usage": _usage(said, prompt)})
    yield b"data: [DONE]\n\n"


def _chunk(delta: Mapping[str, Any], ended: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": ended}
    return data_event({**_FRAME, "object": "chat.completion.chunk", "choices": [choice], "usage": None})


def _usage(said: Said, prompt: Prompt) -> dict[str, Any]:
    return {
        "prompt_tokens": prompt.prompt_words,
        "completion_tokens": said.words,
        "total_tokens": prompt.prompt_words + said.words,
        "prompt_tokens_details": {"cached_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": len(said.thought.split())},
    }


def _check(body: Mapping[str, Any]) -> None:
    if unknown := body.keys() - _KNOWN:
        raise Refused(400, f"Unrecognized request arguments: {unknown}")
    check_types(_TYPES, {name: value for name, value in body.items() if name != "stream"})
    if body.get("tool_choice") and not body.get("tools"):
        raise Refused(400, "'tool_choice' is only allowed when 'tools' are specified.")
    waiting: set[str] = set()
    for message in body["messages"]:
        if message["role"] == "tool":
            if message["tool_call_id"] not in waiting:
                raise Refused(400, "a tool message must follow the call that it answers")
            waiting.discard(message["tool_call_id"])
            continue
        if waiting:
            raise Refused(400, f"calls without an answer: {waiting}")
        waiting = {call["id"] for call in message.get("tool_calls") or ()}
        if any(len(call_id) > 40 for call_id in waiting):
            raise Refused(400, "string too long. Expected a string with maximum length 40")
    if waiting:
        raise Refused(400, f"calls without an answer: {waiting}")


def _schema(wanted: Mapping[str, Any]) -> Mapping[str, Any] | None:
    match wanted.get("type"):
        case "json_schema":
            return wanted["json_schema"]["schema"]
        case "json_object":
            return {}
        case _:
            return None


def _parts(content: Any) -> list[Mapping[str, Any]]:
    return content if isinstance(content, list) else []


def _text(content: Any) -> str:
    if isinstance(content, list):
        return " ".join(as_text(part.get("text", "")) for part in content)
    return content or ""
