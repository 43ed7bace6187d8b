"""`/_graph`: phones, faults and what was sent, over HTTP."""

import base64
from typing import Any

import httpx
import pytest

from local.fakes.graph.accounts import NUMBER_ID
from local.fakes.graph.fake import FakeGraph
from tests.support.graph.client import TOKEN, USER, Business
from tests.support.graph.receiver import CallbackReceiver

CHAT = f"_graph/phones/{USER}/messages"


def ask(graph: FakeGraph, method: str, path: str, **more: Any) -> httpx.Response:
    return Business(graph).ask(method, f"{graph.url}/{path}", **more)


def write(graph: FakeGraph, **body: Any) -> httpx.Response:
    return ask(graph, "POST", CHAT, json=body)


def test_chat_shows_texts_ticks_and_choices(graph: FakeGraph, business: Business, receiver: CallbackReceiver) -> None:
    wamid = write(graph, text="hi").json()["wamid"]
    graph.wait_idle()
    news = ask(graph, "GET", CHAT).json()
    (own,) = news["messages"]
    assert (own["wamid"], own["text"], own["status"], own["outgoing"]) == (wamid, "hi", "delivered", False)
    business.send(
        "interactive",
        {
            "type": "button",
            "body": {"text": "Sure?"},
            "action": {"buttons": [{"type": "reply", "reply": {"id": "y", "title": "Yes"}}]},
        },
    )
    (reply,) = ask(graph, "GET", CHAT, params={"after": news["revision"], "wait": 20}).json()["messages"]
    assert (reply["text"], reply["choices"], reply["outgoing"]) == ("Sure?", [{"id": "y", "title": "Yes"}], True)
    assert write(graph, choose="Yes").status_code == 201
    graph.wait_idle()
    assert receiver.messages[-1]["interactive"]["button_reply"] == {"id": "y", "title": "Yes"}


def test_phone_sends_every_kind(graph: FakeGraph, business: Business, receiver: CallbackReceiver) -> None:
    wamid = write(graph, text="hi").json()["wamid"]
    data = base64.b64encode(b"\x89PNG").decode()
    for body in (
        {"text": "again", "reply_to": wamid},
        {"reaction": {"wamid": wamid, "emoji": "👍"}},
        {"location": {"latitude": 12.9, "longitude": 77.6, "name": "Office"}},
        {"contact": {"name": "Ravi", "phone": "+91 98000 00002"}},
        {"media": {"type": "image", "mime_type": "image/png", "data": data, "caption": "A cake"}},
    ):
        assert write(graph, **body).status_code == 201
    graph.wait_idle()
    kinds = ["text", "text", "reaction", "location", "contacts", "image"]
    assert [message["type"] for message in receiver.messages] == kinds
    assert receiver.messages[1]["context"]["id"] == wamid
    media_id = receiver.messages[-1]["image"]["id"]
    assert business.ask("GET", business.get(media_id).json()["url"]).content == b"\x89PNG"
    assert ask(graph, "POST", f"_graph/media/{media_id}/expire").status_code == 204
    assert business.get(media_id).status_code == 400


def test_phone_acts(graph: FakeGraph, business: Business) -> None:
    write(graph, text="hi")
    phone = graph.phone(USER)
    for action, holds in (
        ("block", lambda: phone.user.blocked == {NUMBER_ID}),
        ("unblock", lambda: phone.user.blocked == set()),
        ("offline", lambda: not phone.user.online),
        ("online", lambda: phone.user.online),
        ("leaves_unread", lambda: not phone.user.reads),
        ("reads", lambda: phone.user.reads),
        ("hide_number", lambda: phone.user.hidden),
        ("show_number", lambda: not phone.user.hidden),
        ("close_window", lambda: business.send().status_code == 400),
    ):
        assert ask(graph, "POST", f"_graph/phones/{USER}/{action}").status_code == 200
        assert holds(), action
    assert ask(graph, "POST", f"_graph/phones/{USER}/colleague_writes", json={"text": "hi"}).status_code == 200
    assert phone.chat[-1].text == "hi"
    before = phone.user.bsuid
    assert ask(graph, "POST", f"_graph/phones/{USER}/change_user_id").json()["user_id"] == phone.user.bsuid != before
    changed = ask(graph, "POST", f"_graph/phones/{USER}/change_number", json={"to": "919800000009"})
    assert changed.json()["wa_id"] == phone.user.wa_id == "919800000009"


def test_faults_and_tokens_are_set(graph: FakeGraph, business: Business) -> None:
    write(graph, text="hi")
    assert ask(graph, "POST", "_graph/faults", json={"kind": "error", "code": 131026}).status_code == 201
    assert business.send().json()["error"]["code"] == 131026
    (fault,) = ask(graph, "GET", "_graph/faults").json()["faults"]
    assert (fault["kind"], fault["hits"]) == ("error", 1)
    assert ask(graph, "DELETE", "_graph/faults").status_code == 204
    assert graph.faults == []
    for action, status in (("revoke", 401), ("restore", 200)):
        assert ask(graph, "POST", f"_graph/tokens/{action}", json={"access_token": TOKEN}).status_code == 204
        assert business.send().status_code == status
    (sent,) = ask(graph, "GET", "_graph/sent").json()["sent"]
    assert (sent["text"], sent["number_id"], sent["request"]["to"]) == ("Hello", NUMBER_ID, USER)
    (number,) = ask(graph, "GET", "_graph/numbers").json()["numbers"]
    assert (number["id"], number["waba_id"]) == (NUMBER_ID, graph.account.waba_id)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (CHAT, {}),
        (CHAT, {"text": ""}),
        (CHAT, {"text": "a", "choose": "b"}),
        (CHAT, {"choose": "nothing"}),
        (CHAT, {"media": {"type": "image", "mime_type": "image/png", "data": "no base64!"}}),
        (CHAT, ["text"]),
        (f"{CHAT}?number=1", {"text": "a"}),
        ("_graph/phones/abc/messages", {"text": "a"}),
        (f"_graph/phones/{USER}/fly", {}),
        (f"_graph/phones/{USER}/change_number", {}),
        (f"_graph/phones/{USER}/colleague_writes", {}),
        ("_graph/faults", {"kind": "error"}),
        ("_graph/tokens/revoke", {"access_token": "x"}),
        ("_graph/media/1/expire", {}),
    ],
)
def test_mistake_is_400_with_a_reason(path: str, body: Any, graph: FakeGraph) -> None:
    answer = ask(graph, "POST", path, json=body)
    assert answer.status_code == 400
    assert answer.json()["error"]["message"]
    assert graph.take() == []


def test_page_is_served_and_other_pages_are_refused(graph: FakeGraph) -> None:
    page = httpx.get(graph.phone_page, trust_env=False)
    assert (page.status_code, page.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert "connect-src 'self'" in page.headers["Content-Security-Policy"]
    assert "//" not in page.text.replace("// of the phone", "")
    assert ask(graph, "GET", "_graph/sent", headers={"Origin": graph.url}).status_code == 200
    assert ask(graph, "GET", "_graph/sent", headers={"Origin": "http://evil.example"}).status_code == 403
    assert ask(graph, "GET", "_graph/sent", headers={"Host": "evil.example"}).status_code == 403
