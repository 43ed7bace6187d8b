"""Arguments of tool calls, which are text in one dialect and an object in another."""

from typing import Any, cast

from callmissed_ai.dialects.strict_json import read_strictly


def arguments_object(arguments: str) -> dict[str, Any] | None:
    """The object in the arguments' JSON text, empty for no text. None where there is no object."""
    try:
        value: Any = read_strictly(arguments.encode()) if arguments.strip() else {}
    except ValueError:
        return None
    return cast("dict[str, Any]", value) if isinstance(value, dict) else None


def input_of(arguments: str) -> dict[str, Any]:
    """The object in the arguments. What a model wrote wrongly stays visible, in the form that Anthropic recommends."""
    found = arguments_object(arguments)
    return {"INVALID_JSON": arguments} if found is None else found
