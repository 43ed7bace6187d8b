"""The model server's Converse: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html.

The model is Claude: a request that Converse takes becomes one of messages, and is held to the rules of Anthropic too.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from tests.support.inference.converse import converse_reply, converse_stream, exception
from tests.support.inference.converse_shape import faults_of
from tests.support.model_server import messages
from tests.support.model_server.brain import Prompt, Refused, Said, signature_of
from tests.support.model_server.events import Answer

_ENDS = {"end": "end_turn", "stop": "stop_sequence", "limit": "max_tokens", "calls": "tool_use"}
_CHOICES = {"auto": "auto", "any": "any", "tool": "tool"}
_LIMITS = {"maxTokens": "max_tokens", "temperature": "temperature", "topP": "top_p", "stopSequences": "stop_sequences"}
_ERRORS = {400: "ValidationException", 429: "ThrottlingException", 500: "InternalServerException"}
_STREAM = "application/vnd.amazon.eventstream"
_USUAL_LIMIT = 4096


def read(body: Mapping[str, Any]) -> Prompt:
    """The prompt in a request. Raises Refused for what the API does not take."""
    _check(body)
    named = "/stop_sequence" in body.get("additionalModelResponseFieldPaths", ())
    return replace(messages.read(_claudes(body)), names_stop=named)


def whole(said: Said, prompt: Prompt) -> Answer:
    """The reply as one object."""
    return Answer(body=_reply(said, prompt))


def streamed(said: Said, prompt: Prompt) -> Answer:
    """The reply as frames."""
    frames = converse_stream(_reply(said, prompt))
    if said.breaks:
        frames[-2:] = [exception("modelStreamErrorException", "Overloaded")]
    return Answer(events=frames, content_type=_STREAM)


def refused(refusal: Refused) -> Answer:
    """The error in the form of AWS."""
    kind = _ERRORS.get(refusal.status, "ServiceUnavailableException")
    return Answer(status=refusal.status, body={"message": refusal.message}, headers={"x-amzn-errortype": kind})


def _reply(said: Said, prompt: Prompt) -> dict[str, Any]:
    content: list[dict[str, Any]] = []
    if said.thought:
        thought = {"text": said.thought, "signature": signature_of(said.thought)}
        content.append({"reasoningContent": {"reasoningText": thought}})
    if said.text:
        content.append({"text": said.text})
    for id, name, arguments in said.calls:
        content.append({"toolUse": {"toolUseId": f"tooluse_{id}", "name": name, "input": json.loads(arguments)}})
    named = {"stop_sequence": said.stopped_by} if prompt.names_stop else None
    more = {"additionalModelResponseFields": named} if named else {}
    return converse_reply(*content, usage=_usage(said, prompt), stop=_ENDS[said.ended], **more)


def _usage(said: Said, prompt: Prompt) -> dict[str, Any]:
    return {
        "inputTokens": prompt.prompt_words - prompt.marked_words,
        "outputTokens": said.words,
        "totalTokens": prompt.prompt_words + said.words,
        "cacheReadInputTokens": 0,
        "cacheWriteInputTokens": prompt.marked_words,
    }


def _check(body: Mapping[str, Any]) -> None:
    if faults := faults_of(body):
        raise Refused(400, "; ".join(faults))
    roles = [message["role"] for message in body["messages"]]
    if roles != ["user" if number % 2 == 0 else "assistant" for number in range(len(roles))]:
        raise Refused(400, "A conversation must start with a user message, and alternate between the roles.")
    for number, message in enumerate(body["messages"]):
        _check_message(message["content"], f"messages.{number}", has_tools="toolConfig" in body)
    names = [block["document"]["name"] for each in body["messages"] for block in each["content"] if "document" in block]
    if len(names) != len(set(names)):
        raise Refused(400, "Document names must be different.")


def _check_message(content: list[dict[str, Any]], where: str, *, has_tools: bool) -> None:
    kinds = {name for block in content for name in block}
    if not has_tools and kinds & {"toolUse", "toolResult"}:
        raise Refused(400, "The toolConfig field must be defined when using toolUse and toolResult content blocks.")
    if "document" in kinds and "text" not in kinds:
        raise Refused(400, f"{where}: a document needs a text beside it.")
    if "cachePoint" in content[0]:
        raise Refused(400, f"{where}: a cache point needs a block before it.")


def _claudes(body: Mapping[str, Any]) -> dict[str, Any]:
    """The request of messages that Bedrock makes of a Converse request."""
    inference, output = body.get("inferenceConfig", {}), body.get("outputConfig", {})
    own, config = body.get("additionalModelRequestFields", {}), body.get("toolConfig", {})
    sections = {
        "system": [*_blocks(body.get("system", ()))],
        "tools": [*_tools(config.get("tools", ()))],
        "output_config": {**_format(output), **({"effort": output["effort"]} if "effort" in output else {})},
    }
    if "toolChoice" in config:
        if "tool_choice" in own:
            raise Refused(400, "tool_choice: given twice")
        ((kind, fields),) = config["toolChoice"].items()
        sections["tool_choice"] = {"type": _CHOICES[kind], **fields}
    return {
        "model": "claude",
        "max_tokens": _USUAL_LIMIT,
        "messages": [{"role": m["role"], "content": [*_blocks(m["content"])]} for m in body["messages"]],
        **{_LIMITS[name]: value for name, value in inference.items()},
        **{name: section for name, section in sections.items() if section},
        **own,
    }


def _format(output: Mapping[str, Any]) -> dict[str, Any]:
    if "textFormat" not in output:
        return {}
    schema = json.loads(output["textFormat"]["structure"]["jsonSchema"]["schema"])
    return {"format": {"type": "json_schema", "schema": schema}}


def _tools(tools: Iterable[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    for tool in tools:
        if "toolSpec" in tool:
            spec = dict(tool["toolSpec"])
            yield {"input_schema": spec.pop("inputSchema")["json"], **spec}


def _blocks(content: Iterable[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """Claude's blocks: a cache point is a mark of the block before it."""
    last: dict[str, Any] | None = None
    for block in content:
        if "cachePoint" in block and last:
            last["cache_control"] = {"type": "ephemeral"}
            continue
        if last:
            yield last
        last = _block(block)
    if last:
        yield last


def _block(block: Mapping[str, Any]) -> dict[str, Any]:
    match block:
        case {"image": image}:
            source = {"type": "base64", "media_type": f"image/{image['format']}", "data": image["source"]["bytes"]}
            return {"type": "image", "source": source}
        case {"toolUse": call}:
            return {"type": "tool_use", "id": call["toolUseId"], "name": call["name"], "input": call["input"]}
        case {"toolResult": result}:
            inner = {"content": [*_blocks(result["content"])], "is_error": result.get("status") == "error"}
            return {"type": "tool_result", "tool_use_id": result["toolUseId"], **inner}
        case {"reasoningContent": {"reasoningText": thought}}:
            return {"type": "thinking", "thinking": thought["text"], "signature": thought.get("signature", "")}
        case {"text": text}:
            return {"type": "text", "text": text}
        case _:
            raise Refused(400, f"This model has no {', '.join(block)}.")
