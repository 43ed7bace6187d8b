"""The tools of a request for Converse, and the choice among them.

Converse has no `none`, and demands tools wherever an earlier turn has called one. Claude's own field says both.
"""

from collections.abc import Mapping
from typing import Any

from callmissed.errors import ApiError, invalid_request
from callmissed_ai.dialects.bedrock_converse.content import ContentWriter, has_calls, with_cache_points
from callmissed_ai.dialects.bedrock_converse.families import Family
from callmissed_ai.dialects.conversation import Conversation, Tool, ToolCall, ToolChoice

_Fields = Mapping[str, Any]
_ANTHROPICS = {"auto": "auto", "required": "any", "none": "none", "named": "tool"}


def tool_fields(conversation: Conversation, family: Family, content: ContentWriter) -> tuple[_Fields, _Fields]:
    """The `toolConfig`, and what goes into the model's own fields. Raises ApiError 400 for what can't be said."""
    choice, tools = conversation.tool_choice, conversation.tools
    must_not = not tools or (choice is not None and choice.mode == "none")
    if must_not and not has_calls(conversation.turns):
        return {}, {}
    if must_not:
        tools, choice = tools or _called(conversation), ToolChoice("none")
    specs = list(with_cache_points(content.marked({"toolSpec": _spec(tool)}, tool.extras) for tool in tools))
    one_by_one = conversation.parallel_tool_calls is False and not must_not
    if not (must_not or one_by_one):
        chosen = {"toolChoice": _choice(choice)} if choice else {}
        return {"tools": specs, **chosen}, {}
    if not family.is_claude:
        raise _unspeakable("parallel_tool_calls" if one_by_one else "tool_choice" if conversation.tools else "tools")
    return {"tools": specs}, {"tool_choice": _own_choice(choice, one_by_one=one_by_one)}


def _spec(tool: Tool) -> dict[str, Any]:
    fields = {"description": tool.description or None, "strict": tool.strict or None}
    given = {name: value for name, value in fields.items() if value is not None}
    schema = {**(tool.parameters or {}), "type": "object"}
    return {"name": tool.name, "inputSchema": {"json": schema}, **given}


def _called(conversation: Conversation) -> tuple[Tool, ...]:
    """The tools that earlier turns called."""
    names = [part.name for turn in conversation.turns for part in turn.parts if isinstance(part, ToolCall)]
    return tuple(Tool(name) for name in dict.fromkeys(names))


def _choice(choice: ToolChoice) -> dict[str, Any]:
    match choice.mode:
        case "named":
            return {"tool": {"name": choice.name}}
        case "required":
            return {"any": {}}
        case _:
            return {"auto": {}}


def _own_choice(choice: ToolChoice | None, *, one_by_one: bool) -> dict[str, Any]:
    """The choice as Claude itself takes it; beside it `toolChoice` would be a second one."""
    named = {"name": choice.name} if choice and choice.mode == "named" else {}
    single = {"disable_parallel_tool_use": True} if one_by_one else {}
    return {"type": _ANTHROPICS[choice.mode] if choice else "auto", **named, **single}


def _unspeakable(param: str) -> ApiError:
    messages = {
        "parallel_tool_calls": "this model's provider can't keep a model from calling several tools at once",
        "tool_choice": "this model's provider can't keep a model from calling tools once it has called one",
        "tools": "this model's provider demands the tools that earlier messages call",
    }
    return invalid_request(f"Invalid '{param}': {messages[param]}.", param, "unsupported_field")
