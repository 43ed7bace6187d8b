"""The model server's responses, written by https://platform.openai.com/docs/api-reference/responses."""

from collections.abc import Iterator, Mapping
from secrets import token_hex
from typing import Any, get_type_hints

from openai.types.responses.response_create_params import ResponseCreateParamsNonStreaming
from pydantic import TypeAdapter

from tests.support.model_server.brain import Prompt, Refused, Said, halves, signature_of
from tests.support.model_server.checks import check_types
from tests.support.model_server.events import Answer, named_event

_KNOWN = {*get_type_hints(ResponseCreateParamsNonStreaming), "stream"}
_TYPES = TypeAdapter[Any](ResponseCreateParamsNonStreaming)
_STATUS = {"limit": "incomplete"}


def read(body: Mapping[str, Any]) -> Prompt:
    """The prompt in a request. Raises Refused for what the API does not take."""
    items = _items(body)
    _check(body, items)
    messages = [item for item in items if item["type"] == "message"]
    users = [number for number, item in enumerate(items) if item.get("role") == "user"]
    last = users[-1] if users else -1
    user = items[last]["content"] if users else ""
    system = [_text(item["content"]) for item in messages if item["role"] in ("system", "developer")]
    choice = body.get("tool_choice") or "auto"
    return Prompt(
        said=_text(user),
        system=" ".join([*([body["instructions"]] if body.get("instructions") else []), *system]),
        tools={tool["name"]: tool.get("parameters") or {} for tool in body.get("tools") or ()},
        choice=choice if isinstance(choice, str) else choice["name"],
        results=tuple(_text(item["output"]) for item in items[last + 1 :] if item["type"] == "function_call_output"),
        schema=_schema((body.get("text") or {}).get("format") or {}),
        thinks=(body.get("reasoning") or {}).get("effort") not in (None, "none"),
        limit=body.get("max_output_tokens") or 10_000,
        images=sum(part["type"] == "input_image" for part in _parts(user)),
        one_call=body.get("parallel_tool_calls") is False,
        prompt_words=sum(len(_text(item["content"]).split()) for item in messages),
    )


def whole(said: Said, prompt: Prompt) -> Answer:
    """The reply as one object."""
    return Answer(body=_response(said, prompt, _output(said)))


def streamed(said: Said, prompt: Prompt) -> Answer:
    """The reply as events."""
    events = [
        named_event(name, sequence_number=number, **fields)
        for number, (name, fields) in enumerate(_events(said, prompt))
    ]
    return Answer(events=events)


def refused(refusal: Refused) -> Answer:
    """The error in OpenAI's form."""
    error = {"message": refusal.message, "type": "invalid_request_error", "param": None, "code": None}
    return Answer(status=refusal.status, body={"error": error})


def _new_id(prefix: str) -> str:
    """An id that no other item has, as the vendor's."""
    return f"{prefix}_{token_hex(24)}"


def _output(said: Said) -> list[dict[str, Any]]:
    output: list[dict[str, Any]] = []
    if said.thought:
        summary = [{"type": "summary_text", "text": said.thought}]
        own = {"encrypted_content": signature_of(said.thought), "summary": summary}
        output.append({"id": _new_id("rs"), "type": "reasoning", **own})
    if said.text:
        content = [{"type": "output_text", "text": said.text, "annotations": [], "logprobs": []}]
        status = _STATUS.get(said.ended, "completed")
        message = {"id": _new_id("msg"), "type": "message", "role": "assistant", "status": status}
        output.append({**message, "content": content})
    for id, name, arguments in said.calls:
        own = {"call_id": id, "name": name, "arguments": arguments, "status": "completed"}
        output.append({"id": _new_id("fc"), "type": "function_call", **own})
    return output


def _response(said: Said, prompt: Prompt, output: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    ended = _STATUS.get(said.ended, "completed")
    usage = {
        "input_tokens": prompt.prompt_words,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": said.words,
        "output_tokens_details": {"reasoning_tokens": len(said.thought.split())},
        "total_tokens": prompt.prompt_words + said.words,
    }
    return {
        "id": "resp_upstream",
        "object": "response",
        "created_at": 1_780_000_000,
        "model": "upstream-model",
        "status": ended,
        "output": output,
        "usage": usage,
        "error": None,
        "instructions": None,
        "metadata": {},
        "parallel_tool_calls": True,
        "temperature": 1.0,
        "top_p": 1.0,
        "tool_choice": "auto",
        "tools": [],
        "incomplete_details": {"reason": "max_output_tokens"} if ended == "incomplete" else None,
        **more,
    }


_Event = tuple[str, dict[str, Any]]


def _events(said: Said, prompt: Prompt) -> Iterator[_Event]:
    begun = _response(said, prompt, [], status="in_progress", usage=None, incomplete_details=None)
    yield "response.created", {"response": begun}
    yield "response.in_progress", {"response": begun}
    output = _output(said)
    for index, item in enumerate(output):
        yield from _item_events(item, {"item_id": item["id"], "output_index": index}, index)
        if said.breaks:
            yield "error", {"code": "server_error", "message": "Overloaded", "param": None}
            return
    end = _response(said, prompt, output)
    yield f"response.{end['status']}", {"response": end}


def _item_events(item: dict[str, Any], at: Mapping[str, Any], index: int) -> Iterator[_Event]:
    match item["type"]:
        case "reasoning":
            yield "response.output_item.added", {"output_index": index, "item": {**item, "summary": []}}
            yield from _part_events(item["summary"][0], {**at, "summary_index": 0}, "reasoning_summary")
        case "message":
            begun = {**item, "content": [], "status": "in_progress"}
            yield "response.output_item.added", {"output_index": index, "item": begun}
            yield from _part_events(item["content"][0], {**at, "content_index": 0}, "content")
        case _:
            begun = {**item, "arguments": "", "status": "in_progress"}
            yield "response.output_item.added", {"output_index": index, "item": begun}
            for piece in halves(item["arguments"]):
                yield "response.function_call_arguments.delta", {**at, "delta": piece}
            done = {"name": item["name"], "arguments": item["arguments"]}
            yield "response.function_call_arguments.done", {**at, **done}
    yield "response.output_item.done", {"output_index": index, "item": item}


def _part_events(part: dict[str, Any], at: Mapping[str, Any], kind: str) -> Iterator[_Event]:
    text = "output_text" if kind == "content" else "reasoning_summary_text"
    more: dict[str, Any] = {"logprobs": []} if kind == "content" else {}
    yield f"response.{kind}_part.added", {**at, "part": {**part, "text": ""}}
    for piece in halves(part["text"]):
        yield f"response.{text}.delta", {**at, "delta": piece, **more}
    yield f"response.{text}.done", {**at, "text": part["text"], **more}
    yield f"response.{kind}_part.done", {**at, "part": part}


def _items(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    given = body["input"]
    listed = [{"role": "user", "content": given}] if isinstance(given, str) else given
    return [{"type": "message", **item} for item in listed]


def _check(body: Mapping[str, Any], items: list[dict[str, Any]]) -> None:
    if unknown := body.keys() - _KNOWN:
        raise Refused(400, f"Unknown parameter: {unknown}")
    filled = {"input": list(map(_filled_in, items)), "tools": [{"strict": None, **t} for t in body.get("tools") or ()]}
    check_types(_TYPES, {name: value for name, value in body.items() if name != "stream"} | filled)
    called = [item["call_id"] for item in items if item["type"] == "function_call"]
    answered = [item["call_id"] for item in items if item["type"] == "function_call_output"]
    if sorted(called) != sorted(answered):
        raise Refused(400, f"No tool output found for function call, or no call: {set(called) ^ set(answered)}")
    for item in items:
        if item["type"] == "reasoning":
            _check_reasoning(item)
        if not str(item.get("id") or "").startswith(_PREFIXES[item["type"]] if item.get("id") else ""):
            raise Refused(400, f"Invalid id: {item['id']}")


def _filled_in(item: dict[str, Any]) -> dict[str, Any]:
    """`item` with what the SDK's types demand and the API does not."""
    if item["type"] != "message" or isinstance(item["content"], str):
        return item
    if item["role"] == "assistant":
        parts = [{"annotations": [], **part} if part["type"] == "output_text" else part for part in item["content"]]
        return {"id": "msg_", "status": "completed", **item, "content": parts}
    parts = [{"detail": "auto", **part} if part["type"] == "input_image" else part for part in item["content"]]
    return {**item, "content": parts}


_PREFIXES = {"message": "msg", "reasoning": "rs", "function_call": "fc", "function_call_output": "fc"}


def _check_reasoning(item: Mapping[str, Any]) -> None:
    text = "".join(part["text"] for part in item["summary"])
    if item.get("encrypted_content") != signature_of(text):
        raise Refused(400, "The encrypted content could not be verified.")


def _schema(wanted: Mapping[str, Any]) -> Mapping[str, Any] | None:
    return (
        wanted["schema"] if wanted.get("type") == "json_schema" else {} if wanted.get("type") == "json_object" else None
    )


def _parts(content: Any) -> list[Mapping[str, Any]]:
    return [] if isinstance(content, str) else list(content)


def _text(content: Any) -> str:
    return content if isinstance(content, str) else " ".join(part.get("text", "") for part in content)
