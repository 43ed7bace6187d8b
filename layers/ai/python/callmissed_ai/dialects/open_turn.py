"""The turn that an assistant has not finished: it called tools, whose results are in the request.

Only the provider whose signed thoughts stand in such a turn can continue it. Thoughts of finished turns are needed no
more, and another provider gets the conversation without them.
"""

from collections.abc import Sequence

from callmissed.errors import ApiError, invalid_request
from callmissed_ai.dialects.conversation import ToolResult, Turn


def start_of_open_turn(turns: Sequence[Turn]) -> int:
    """Number of the last message that the user wrote: what the assistant did since is not finished yet."""
    for number in range(len(turns) - 1, -1, -1):
        if turns[number].role == "user" and not any(isinstance(part, ToolResult) for part in turns[number].parts):
            return number
    return 0


def foreign_thought(param: str) -> ApiError:
    """400 for the thought at `param`, with which another provider would have to continue its turn."""
    return invalid_request(
        f"'{param}' is another provider's signed thinking. The turn in which it stands can't be continued with "
        "this model: send the results of its tools to the model that called them.",
        param,
        "unsupported_field",
    )
