"""The turn that is not finished: what the assistant did since the user's last message."""

from collections.abc import Sequence

from callmissed.errors import ApiError, invalid_request
from callmissed_ai.dialects.conversation import Conversation, RedactedThinking, Thinking, ToolResult, Turn


def start_of_open_turn(turns: Sequence[Turn]) -> int:
    """Number of the last message that the user wrote: what the assistant did since is not finished yet."""
    for number in range(len(turns) - 1, -1, -1):
        if turns[number].role == "user" and not any(isinstance(part, ToolResult) for part in turns[number].parts):
            return number
    return 0


def check_end(conversation: Conversation) -> None:
    """Check that the reply is a message of its own. Raises ApiError 400 where it is to go on with the last one."""
    if conversation.continues:
        param = conversation.turns[-1].param
        message = f"'{param}' can't be continued with this model: the last message must be the user's."
        raise invalid_request(message, param, "unsupported_field")


def is_demanded_back(part: Thinking | RedactedThinking) -> bool:
    """Whether its provider needs the thought to go on: one without a signature is not missed."""
    return isinstance(part, RedactedThinking) or bool(part.signature or part.extras.get("openai_chat"))


def foreign_thought(param: str) -> ApiError:
    """400 for a thought of another provider in a turn that is not finished."""
    return invalid_request(
        f"'{param}' is another provider's signed thinking. The turn in which it stands can't be continued with "
        "this model: send the results of its tools to the model that called them.",
        param,
        "unsupported_field",
    )
