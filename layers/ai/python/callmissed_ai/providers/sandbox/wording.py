"""The sandbox's reply text: it names the sandbox, and what the sandbox read in the request."""

from callmissed_ai.dialects.openai_chat.typed_request import TypedChatRequest
from callmissed_ai.providers.sandbox import tokens
from callmissed_ai.providers.sandbox.conversation import RequestSummary
from callmissed_ai.providers.sandbox.failures import Instructions

_OPENINGS = (
    "This is the CallMissed sandbox, not a language model: the reply is made from your request alone.",
    "You have reached the CallMissed sandbox. No language model is at work here; it only repeats what it got.",
    "The CallMissed sandbox answers: it thinks nothing up, it reports what arrived.",
    "Hello from the CallMissed sandbox, which stands in for a model while you build.",
    "CallMissed sandbox here. It understands the form of your request, not its meaning.",
    "A reply of the CallMissed sandbox, written by rules and without a model.",
)
_CLOSINGS = (
    "The same request always gets the same reply.",
    "No network was used to write it.",
    "For a real answer, use a live key and a model.",
    "Its usage is counted as a model's would be.",
)
_MAX_QUOTE_LENGTH = 240
_MAX_RESULT_LENGTH = 600


def reply_text(
    request: TypedChatRequest, conversation: RequestSummary, instructions: Instructions, variation: int
) -> str:
    """The reply in words. `variation` chooses among phrasings."""
    if instructions.long_tokens is not None:
        return _long_text(instructions.long_tokens, request.n or 1, variation)
    parts = [
        _OPENINGS[variation % len(_OPENINGS)],
        *(f"A tool answered: {_quote(result, _MAX_RESULT_LENGTH)}." for result in conversation.tool_results),
        _heard(conversation),
        *(f"It came with {image.description}." for image in conversation.images),
        _instructed(conversation),
        _offered(request, conversation),
        *(f"The sandbox knows no order `sandbox:{name}`." for name in instructions.unknown),
        _CLOSINGS[variation // len(_OPENINGS) % len(_CLOSINGS)],
    ]
    return " ".join(part for part in parts if part)


def reasoning_text(conversation: RequestSummary, effort: str) -> str:
    """Text of the sandbox's reasoning; every effort above `medium` shows more."""
    steps = [
        f"The request has {_number(conversation.count, 'message')} and {_number(conversation.tokens, 'token')}.",
        f"The last user message is {_quote(conversation.last_user_text, 80)}.",
        "No model is here to think about it, so the reply follows fixed rules.",
    ]
    if effort != "medium":
        steps += [
            f"There are {_number(len(conversation.tool_results), 'tool result')} to answer from.",
            f"There are {_number(len(conversation.images), 'image')} in the last user message.",
            f"The instructions are {_quote(conversation.system_text, 80)}." if conversation.system_text else "",
            "First comes the question whether a tool should be called, then the form of the reply, then its words.",
        ]
    return " ".join(step for step in steps if step)


def _heard(conversation: RequestSummary) -> str:
    sent = f"The request has {_number(conversation.count, 'message')}"
    if not conversation.last_user_text:
        return f"{sent}, and the user says nothing in words."
    words = _number(len(conversation.last_user_text.split()), "word")
    return f"{sent}; the last user message has {words}: {_quote(conversation.last_user_text, _MAX_QUOTE_LENGTH)}."


def _instructed(conversation: RequestSummary) -> str:
    if not conversation.system_text:
        return ""
    return f"The system prompt was seen, though not followed: {_quote(conversation.system_text, _MAX_QUOTE_LENGTH)}."


def _offered(request: TypedChatRequest, conversation: RequestSummary) -> str:
    if not request.tools or conversation.tool_results:
        return ""
    names = ", ".join(tool.function.name for tool in request.tools[:5])
    more = ", …" if len(request.tools) > 5 else ""
    return f"No function is called, of {len(request.tools)} on offer ({names}{more})."


def _long_text(wanted: int, choices: int, variation: int) -> str:
    """A text of exactly `wanted` tokens: an opening, then numbers, each its own position."""
    length = max(1, wanted // choices) if choices > 1 else wanted
    opening = tokens.split(f"{_OPENINGS[variation % len(_OPENINGS)]} Counting tokens:")
    counted = (f" {position}" for position in range(len(opening) + 1, length + 1))
    return "".join([*opening[:length], *counted])


def _quote(text: str, longest: int) -> str:
    whole = " ".join(text.split())
    return f"“{whole}”" if len(whole) <= longest else f"“{whole[:longest]}…” ({len(text):,} characters)"


def _number(count: int, thing: str) -> str:
    return f"{count:,} {thing}" if count == 1 else f"{count:,} {thing}s"
