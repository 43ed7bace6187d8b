"""A text each way, and its callbacks."""

from local.fakes.graph.fake import FakeGraph
from tests.support.graph.client import USER, Business
from tests.support.graph.receiver import CallbackReceiver


def test_a_text_gets_an_answer_and_three_statuses(
    graph: FakeGraph, business: Business, receiver: CallbackReceiver
) -> None:
    question = graph.phone(USER, name="Asha").say("hi")
    graph.wait_idle()
    (message,) = receiver.messages
    assert message["id"] == question
    assert (message["from"], message["type"], message["text"]) == (USER, "text", {"body": "hi"})
    answer = business.wamid(content={"body": "Hello Asha"}, biz_opaque_callback_data="ours-1")
    graph.wait_idle()
    assert [status["status"] for status in receiver.statuses] == ["sent", "delivered", "read"]
    assert {status["id"] for status in receiver.statuses} == {answer}
    assert {status["biz_opaque_callback_data"] for status in receiver.statuses} == {"ours-1"}
    (entry,) = graph.sent
    assert (entry.wamid, entry.text, entry.to, entry.status) == (answer, "Hello Asha", USER, "read")
