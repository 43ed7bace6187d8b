"""Claude's thoughts through clients of chat, who must get them and send them back as they were."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.lib.streaming._deltas import accumulate_delta

from tests.support.inference.messages import message, message_stream
from tests.support.inference.translated import CHAT, FRAME, HELLO, MESSAGES, TOOL, chunks_of, result, to_messages

THOUGHT = {"type": "thinking", "thinking": "Let me see", "signature": "c2ln"}
OMITTED = {"type": "thinking", "thinking": "", "signature": "b21p"}
REDACTED = {"type": "redacted_thinking", "data": "eA=="}
TEXT = {"type": "text", "text": "Looking"}


def use(call_id: str) -> dict[str, Any]:
    return {"type": "tool_use", "id": call_id, "name": "weather", "input": {"a": 1}}


CONTENTS: Mapping[str, Sequence[Mapping[str, Any]]] = {
    "one": [THOUGHT, use("a")],
    "two (litellm counts them)": [THOUGHT, {**THOUGHT, "thinking": "Hm"}, use("a")],
    "omitted": [OMITTED, TEXT, use("a")],
    "redacted among others": [THOUGHT, REDACTED, OMITTED, use("a")],
    "between calls (claude-code#63269, hermes-agent#35976)": [
        THOUGHT,
        use("a"),
        {**THOUGHT, "thinking": "And"},
        use("b"),
    ],
    "between texts": [THOUGHT, TEXT, OMITTED, {"type": "text", "text": " more"}, REDACTED, use("a"), THOUGHT, use("b")],
}


def kept_by_index(content: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The message of a stream as OpenAI's library adds it up."""
    whole: dict[object, object] = {}
    for delta in deltas(content):
        whole = accumulate_delta(whole, {**delta})
    return {str(name): value for name, value in whole.items()}


def kept_in_pieces(content: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The message of a stream for a client that collects the pieces of reasoning in a list."""
    whole = kept_by_index(content)
    return {
        **whole,
        "reasoning_details": [each for delta in deltas(content) for each in delta.get("reasoning_details", ())],
    }


def kept_whole(content: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The message of a blocking reply."""
    return CHAT.write_reply(MESSAGES.read_reply(message(*content)), FRAME)["choices"][0]["message"]


def deltas(content: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    chunks = chunks_of(*message_stream(message(*content, stop_reason="tool_use")))
    return [choice["delta"] for chunk in chunks for choice in chunk["choices"]]


CLIENTS = [kept_whole, kept_by_index, kept_in_pieces]


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("content", CONTENTS.values(), ids=CONTENTS)
def test_content_comes_back_as_it_was(client: Any, content: Sequence[Mapping[str, Any]]) -> None:
    results = [result(block["id"]) for block in content if block["type"] == "tool_use"]

    sent = to_messages(messages=[HELLO, client(content), *results], tools=[TOOL])

    assert sent["messages"][1]["content"] == list(content)


blocks = st.sampled_from([THOUGHT, OMITTED, REDACTED, {"type": "text", "text": "so \N{GRINNING FACE}"}])


@pytest.mark.parametrize("client", CLIENTS)
@given(said=st.lists(blocks, max_size=5), called=st.lists(st.sampled_from([THOUGHT, REDACTED]), max_size=2))
def test_thoughts_come_back_to_their_places(client: Any, said: list[Any], called: list[Any]) -> None:
    after = [block for number, thought in enumerate(called) for block in (thought, use(f"b{number}"))]
    content = [*joined(said), use("a"), *after]
    results = [result(block["id"]) for block in content if block["type"] == "tool_use"]

    sent = to_messages(messages=[HELLO, client(content), *results], tools=[TOOL])

    assert sent["messages"][1]["content"] == content


def joined(content: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """`content` with texts that follow each other as one: a chat message has one."""
    found: list[Mapping[str, Any]] = []
    for block in content:
        if found and found[-1]["type"] == block["type"] == "text":
            found[-1] = {**block, "text": found[-1]["text"] + block["text"]}
        else:
            found.append(block)
    return found


def test_text_that_the_client_changed_loses_no_thought() -> None:
    content = [THOUGHT, TEXT, OMITTED, {"type": "text", "text": " more"}, use("a")]
    sent = to_messages(messages=[HELLO, {**kept_whole(content), "content": "Lo"}, result("a")], tools=[TOOL])

    assert [block["type"] for block in sent["messages"][1]["content"]] == ["thinking", "text", "thinking", "tool_use"]
