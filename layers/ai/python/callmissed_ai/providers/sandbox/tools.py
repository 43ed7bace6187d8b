"""The choice of tool calls, and their arguments.

`required` and a named function always call. `auto` calls when the last user message names a function or mentions
its purpose, but not while tool results are unanswered.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from callmissed_ai.dialects.openai_chat.typed_request import NamedChoice, ToolFunction, TypedChatRequest
from callmissed_ai.providers.sandbox import tokens
from callmissed_ai.providers.sandbox.conversation import RequestSummary
from callmissed_ai.providers.sandbox.rejection import Rejected
from callmissed_ai.providers.sandbox.schema_values import (
    FillCounter,
    SchemaError,
    check_is_object,
    check_strict,
    fitting_json,
)

_COMMON_WORDS = """
    about after also another before call called does done each find from function give given gets have into list make
    more most name need only other over please return returns says shall should some such tell than that them then
    there these they this tool under used user uses using value want were what when where which will with your
"""
_COMMON = frozenset(_COMMON_WORDS.split())
_DESCRIPTION_WORDS = 2
_MAX_TEXT_LENGTH = 20_000


@dataclass(frozen=True, slots=True)
class ComposedCall:
    """A call to a function. `arguments` is JSON text."""

    name: str
    arguments: str

    @property
    def tokens(self) -> int:
        """What the call costs as output."""
        return tokens.count(self.name) + tokens.count(self.arguments)


def check_tools(request: TypedChatRequest) -> None:
    """Check the schemas of the tools by OpenAI's rules. Raises Rejected."""
    for index, tool in enumerate(request.tools or ()):
        function = tool.function
        schema = function.parameters or {"type": "object"}
        try:
            check_is_object(schema)
            if function.strict:
                check_strict(function.parameters)
        except SchemaError as error:
            raise _wrong_schema(function, index, error) from None


def choose_calls(request: TypedChatRequest, conversation: RequestSummary) -> list[ComposedCall]:
    """The calls to make, none for a reply in text. Raises Rejected for parameters that can't be filled."""
    functions = [tool.function for tool in request.tools or ()]
    chosen = _chosen(request, functions, conversation)
    counter = FillCounter()
    return [_call(function, functions.index(function), conversation, counter) for function in chosen]


def _chosen(
    request: TypedChatRequest, functions: Sequence[ToolFunction], conversation: RequestSummary
) -> list[ToolFunction]:
    choice = request.tool_choice or "auto"
    if not functions or choice == "none" or (choice == "auto" and conversation.tool_results):
        return []
    if isinstance(choice, NamedChoice):
        return [function for function in functions if function.name == choice.function.name][:1]
    spoken_of = _spoken_of(functions, conversation.last_user_text)
    if not spoken_of and choice == "required":
        return [functions[0]]
    return spoken_of[:1] if request.parallel_tool_calls is False else spoken_of


def _spoken_of(functions: Sequence[ToolFunction], text: str) -> list[ToolFunction]:
    """The functions that `text` names, in order of the tools; else the one whose description it shares most with."""
    said = set(_words(text))
    named = [function for function in functions if _is_named(function, text) or (_name_words(function) or {""}) <= said]
    if named:
        return named
    best = max(functions, key=lambda function: _likeness(function, said))
    return [best] if _likeness(best, said) >= _DESCRIPTION_WORDS else []


def _is_named(function: ToolFunction, text: str) -> bool:
    name = re.escape(function.name)
    return re.search(rf"(?<![\w-]){name}(?![\w-])", text[:_MAX_TEXT_LENGTH], re.IGNORECASE) is not None


def _likeness(function: ToolFunction, said: set[str]) -> int:
    """Shared words with the description, a shared word of the name counting double."""
    return len(set(_words(function.description or "")) & said) + _DESCRIPTION_WORDS * len(_name_words(function) & said)


def _name_words(function: ToolFunction) -> set[str]:
    return set(_words(re.sub(r"(?<=[a-z])(?=[A-Z])|[_-]", " ", function.name)))


def _words(text: str) -> list[str]:
    """Words of four letters or more that carry meaning, without a plural `s`."""
    found = re.findall(r"[^\W\d_]{4,40}", text[:_MAX_TEXT_LENGTH].casefold())
    return [word.removesuffix("s") for word in found if word not in _COMMON]


def _call(function: ToolFunction, index: int, conversation: RequestSummary, counter: FillCounter) -> ComposedCall:
    schema, said = function.parameters or {"type": "object"}, conversation.last_user_text
    try:
        return ComposedCall(
            function.name, fitting_json(schema, said, conversation.tool_results, (function.name,), counter)
        )
    except SchemaError as error:
        raise _wrong_schema(function, index, error) from None


def _wrong_schema(function: ToolFunction, index: int, error: SchemaError) -> Rejected:
    message = f"Invalid schema for function '{function.name}': {error}"
    return Rejected(message, f"tools[{index}].function.parameters", "invalid_function_parameters")
