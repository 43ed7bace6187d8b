"""A thought of the responses dialect comes back unchanged through a client of chat, kept whole or in pieces."""

import json
from typing import Any

import pytest

from callmissed_ai.dialects.conversation import (
    Part,
    PartEnded,
    PartGrew,
    PartSigned,
    PartStarted,
    RedactedThinking,
    Reply,
    ReplyFrame,
    ReplyStopped,
    Stop,
    Thinking,
    ToolCall,
)
from callmissed_ai.dialects.opening import open_dialect

FRAME = ReplyFrame("x1", 1, "lab-chat")
OWN: Any = {"openai_responses": {"id": "rs_1", "type": "summary_text", "part": 0}}
CALL = ToolCall("call_1", "look", "{}")
USER = {"role": "user", "content": "Hello"}
RESULT = {"role": "tool", "tool_call_id": "call_1", "content": "seen"}
THOUGHTS: list[Thinking | RedactedThinking] = [
    Thinking("Hm, so", "encrypted", OWN),
    RedactedThinking("encrypted", {"openai_responses": {"id": "rs_1"}}),
]


def whole(thought: Part) -> dict[str, Any]:
    """The message of a whole reply."""
    reply = Reply((thought, CALL), Stop.TOOL_CALLS)
    return dict(open_dialect("openai_chat").write_reply(reply, FRAME)["choices"][0]["message"])


def in_pieces(thought: Thinking | RedactedThinking) -> dict[str, Any]:
    """The message of a stream, with the details as they came."""
    writer = open_dialect("openai_chat").stream_writer(FRAME, wants_usage=False)
    begun = Thinking("", extras=thought.extras) if isinstance(thought, Thinking) else thought
    events: list[Any] = [PartStarted(0, begun)]
    if isinstance(thought, Thinking):
        events += [PartGrew(0, "Hm,"), PartGrew(0, " so"), PartSigned(0, "encrypted")]
    events += [PartEnded(0), PartStarted(1, CALL), PartEnded(1), ReplyStopped(Stop.TOOL_CALLS)]
    written = b"".join(map(writer.write, events))
    deltas = [json.loads(line[6:])["choices"][0]["delta"] for line in written.split(b"\n\n") if line]
    details = [detail for delta in deltas for detail in delta.get("reasoning_details", ())]
    call = {"id": "call_1", "type": "function", "function": {"name": "look", "arguments": "{}"}}
    return {"role": "assistant", "content": None, "reasoning_details": details, "tool_calls": [call]}


@pytest.mark.parametrize("thought", THOUGHTS, ids=["shown", "redacted"])
@pytest.mark.parametrize("kept", [whole, in_pieces])
def test_thought_goes_on_with_the_results_of_its_tools(thought: Thinking | RedactedThinking, kept: Any) -> None:
    body = {"model": "x", "messages": [USER, kept(thought), RESULT]}

    conversation = open_dialect("openai_chat").read_request(body)

    assert conversation.turns[1].parts == (thought, CALL)
    items = open_dialect("openai_responses").write_request(conversation)["input"]
    assert (items[1]["id"], items[1]["encrypted_content"]) == ("rs_1", "encrypted")


@pytest.mark.parametrize("thought", THOUGHTS, ids=["shown", "redacted"])
def test_thought_is_not_taken_for_one_of_claudes(thought: Thinking | RedactedThinking) -> None:
    body = {"model": "x", "messages": [USER, whole(thought), RESULT, {"role": "assistant", "content": "Seen"}, USER]}

    conversation = open_dialect("openai_chat").read_request(body)

    written = json.dumps(open_dialect("anthropic_messages").write_request(conversation))
    assert "thinking" not in written
