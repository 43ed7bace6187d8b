"""The model server's Bedrock as botocore sees it, and what it refuses as AWS does."""

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, EventStreamError
from botocore.session import Session

from tests.support.model_server.server import WIRES, model_server

TOOLS: Any = {"tools": [{"toolSpec": {"name": "get_weather", "inputSchema": {"json": {"type": "object"}}}}]}
CALL: Any = {"toolUse": {"toolUseId": "a", "name": "get_weather", "input": {}}}
BLANK: Any = [{"text": " "}]


@pytest.fixture(scope="module")
def bedrock() -> Iterator[Any]:
    with model_server() as port:
        client = Session().create_client(
            "bedrock-runtime",
            region_name="us-east-1",
            endpoint_url=f"http://127.0.0.1:{port}/bedrock",
            aws_access_key_id="a",
            aws_secret_access_key="b",
            config=Config(retries={"max_attempts": 0}),
        )
        yield client
        client.close()


def streamed(bedrock: Any, **request: Any) -> list[Any]:
    """All events of a stream, whose connection is closed then."""
    with closing(bedrock.converse_stream(**request)["stream"]) as stream:
        return list(stream)


def said(text: str, role: str = "user") -> dict[str, Any]:
    return {"role": role, "content": [{"text": text}]}


def asked(*messages: Any, **fields: Any) -> dict[str, Any]:
    return {"modelId": WIRES["bedrock"].upstream_id, "messages": list(messages), **fields}


def test_botocore_reads_a_reply_and_its_usage(bedrock: Any) -> None:
    reply = bedrock.converse(**asked(said("Hello"), system=[{"text": "Be kind"}]))

    assert reply["output"]["message"]["content"] == [{"text": "You said: Hello My instructions are: Be kind"}]
    assert reply["stopReason"] == "end_turn"
    assert reply["usage"]["totalTokens"] == 11


def test_botocore_reads_a_stream(bedrock: Any) -> None:
    thinking = {"thinking": {"type": "enabled", "budget_tokens": 2000}}
    fields = {"toolConfig": TOOLS, "additionalModelRequestFields": thinking}
    events = streamed(bedrock, **asked(said("Call get_weather"), **fields))

    starts = [event["contentBlockStart"]["start"] for event in events if "contentBlockStart" in event]
    assert [start["toolUse"]["name"] for start in starts] == ["get_weather"]
    assert events[-2]["messageStop"] == {"stopReason": "tool_use"}
    assert "usage" in events[-1]["metadata"]


def test_botocore_raises_for_a_broken_stream(bedrock: Any) -> None:
    with pytest.raises(EventStreamError, match="modelStreamErrorException"):
        streamed(bedrock, **asked(said("break off")))


@pytest.mark.parametrize(
    ("why", "request_"),
    [
        ("alternate", asked(said("One"), said("Two"))),
        ("start with a user", asked(said("One", "assistant"))),
        ("toolConfig", asked(said("One"), {"role": "assistant", "content": [CALL]})),
        ("tool_use", asked(said("One"), {"role": "assistant", "content": [CALL]}, said("Two"), toolConfig=TOOLS)),
        ("non-whitespace", asked({"role": "user", "content": BLANK})),
        ("temperature", asked(said("One"), inferenceConfig={"temperature": 1.5})),
        ("budget_tokens", asked(said("One"), additionalModelRequestFields={"thinking": {"type": "enabled"}})),
        ("not permitted", asked(said("One"), additionalModelRequestFields={"plugins": []})),
    ],
)
def test_what_bedrock_refuses_is_refused(bedrock: Any, why: str, request_: dict[str, Any]) -> None:
    with pytest.raises(ClientError, match=rf"ValidationException.*{why}"):
        bedrock.converse(**request_)
