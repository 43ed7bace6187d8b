"""Calls with their results, and the choice of a tool with the tools: what every provider demands of a request.

Providers refuse what does not fit in words of their own dialect, some of them only after a fallback has begun.
"""

from collections.abc import Sequence

from callmissed.errors import ApiError, invalid_request
from callmissed_ai.dialects.conversation import Conversation, ToolCall, ToolResult, Turn

_MAX_SHOWN = 80


def check_tools(conversation: Conversation) -> None:
    """Check that calls have their results, and that the chosen tool is offered. Raises ApiError 400."""
    choice = conversation.tool_choice
    names = {tool.name for tool in conversation.tools}
    if choice and ((choice.mode == "required" and not names) or (choice.mode == "named" and choice.name not in names)):
        raise invalid_request("Invalid 'tool_choice': it asks for a tool that is not among 'tools'.", "tool_choice")
    _Pairing().check(conversation.turns)


class _Pairing:
    """The calls that have no result yet, by id, and the message that makes them."""

    def __init__(self) -> None:
        self._waiting: set[str] = set()
        self._param = ""
        self._answered = False

    def check(self, turns: Sequence[Turn]) -> None:
        """Check all turns. Raises ApiError 400."""
        for turn in turns:
            if turn.role == "user":
                self._answer(turn)
            elif turn.role == "assistant":
                self._call(turn)
        self._check_all_answered()

    def _call(self, turn: Turn) -> None:
        if self._answered:
            self._check_all_answered()
            self._answered = False
        for part in turn.parts:
            if isinstance(part, ToolCall):
                if part.id in self._waiting:
                    raise _invalid(turn.param, f"the id {_shown(part.id)} stands for two calls")
                self._waiting.add(part.id)
                self._param = turn.param

    def _answer(self, turn: Turn) -> None:
        self._answered = True
        for part in turn.parts:
            if isinstance(part, ToolResult):
                if part.call_id not in self._waiting:
                    raise _invalid(turn.param, f"no call {_shown(part.call_id)} before it waits for a result")
                self._waiting.remove(part.call_id)

    def _check_all_answered(self) -> None:
        if self._waiting:
            missing = ", ".join(map(_shown, sorted(self._waiting)[:3]))
            raise _invalid(self._param, f"the results of its calls must follow; there is none for {missing}")


def _invalid(param: str, why: str) -> ApiError:
    return invalid_request(f"Invalid '{param}': {why}.", param)


def _shown(call_id: str) -> str:
    return repr(call_id[:_MAX_SHOWN])
