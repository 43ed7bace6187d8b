"""`callmissed phone` against the stand-in for Graph, with a business that answers."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.main import app
from local.fakes.graph.fake import FakeGraph
from local.state.folder import Announcement, StateFolder
from tests.support.graph.client import USER, Business
from tests.support.graph.receiver import CallbackReceiver, receiving

BUTTON = {
    "type": "button",
    "body": {"text": "Sure?"},
    "action": {"buttons": [{"type": "reply", "reply": {"id": "y", "title": "Yes"}}]},
}


@pytest.fixture
def receiver() -> Iterator[CallbackReceiver]:
    with receiving() as receiver:
        yield receiver


@pytest.fixture
def graph(receiver: CallbackReceiver, tmp_path: Path) -> Iterator[FakeGraph]:
    """A stand-in that is announced in the state folder `tmp_path`."""
    with FakeGraph(callback_url=receiver.url).serving() as graph:
        announcement = Announcement(
            base_url="http://127.0.0.1:1",
            live_key="",
            test_key="",
            tenant_id="tnt_1",
            endpoints={"dynamodb": "http://127.0.0.1:1", "graph": graph.url},
        )
        StateFolder(tmp_path).announce(announcement)
        yield graph


def phone(state: Path, text: str, *options: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["phone", "--state", str(state), *options], input=text)
    return result.exit_code, result.output


def test_lines_go_out_and_replies_come_in(graph: FakeGraph, receiver: CallbackReceiver, tmp_path: Path) -> None:
    def answer() -> None:
        while not receiver.messages:
            threading.Event().wait(0.01)
        Business(graph).send("interactive", BUTTON)

    answering = threading.Thread(target=answer)
    answering.start()
    code, output = phone(tmp_path, "hi there\n\n", "--wait", "20")
    answering.join()
    assert code == 0, output
    assert [message["text"]["body"] for message in receiver.messages] == ["hi there"]
    lines = output.splitlines()
    assert "you: hi there  ✓✓" in lines
    assert lines[lines.index("bot: Sure?") + 1].strip() == "/Yes"
    assert phone(tmp_path, "/Yes\n", "--wait", "0")[0] == 0
    graph.wait_idle()
    assert receiver.messages[-1]["interactive"]["button_reply"]["id"] == "y"


def test_silence_and_mistakes_are_errors(graph: FakeGraph, tmp_path: Path) -> None:
    code, output = phone(tmp_path, "hi\n", "--wait", "0.1", "--from", "919800000002")
    assert (code, "No reply came within 0.1 s." in output) == (1, True)
    assert graph.phone("919800000002").chat[0].text == "hi"
    assert phone(tmp_path, "/Nothing\n")[0] == 1
    assert phone(tmp_path, "hi\n", "--number", "999")[0] == 1
    assert graph.phone(USER).chat == []


def test_a_stack_without_a_stand_in_is_an_error(tmp_path: Path) -> None:
    code, output = phone(tmp_path, "hi\n")
    assert (code, "No stack runs from" in output) == (1, True)
