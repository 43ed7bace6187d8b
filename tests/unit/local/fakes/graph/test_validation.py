"""Messages that Graph refuses, each by one thing that is wrong."""

from typing import Any

import pytest

from local.fakes.graph.errors import GraphRefusal
from local.fakes.graph.validation import check_message

USER = "919800000001"


def message(kind: str, content: Any, **more: Any) -> dict[str, Any]:
    return {"messaging_product": "whatsapp", "to": USER, "type": kind, kind: content, **more}


def buttons(*titles: str, **more: Any) -> dict[str, Any]:
    listed = [{"type": "reply", "reply": {"id": f"id-{n}", "title": title}} for n, title in enumerate(titles)]
    return {"type": "button", "body": {"text": "Sure?"}, "action": {"buttons": listed}, **more}


def rows(count: int, **more: Any) -> dict[str, Any]:
    listed = [{"id": f"row-{n}", "title": f"Row {n}", **more} for n in range(count)]
    action = {"button": "Choose", "sections": [{"title": "All", "rows": listed}]}
    return {"type": "list", "body": {"text": "Which?"}, "action": action}


def link(**parameters: Any) -> dict[str, Any]:
    known = {"display_text": "Open", "url": "https://example.com"}
    action = {"name": "cta_url", "parameters": known | parameters}
    return {"type": "cta_url", "body": {"text": "Pay"}, "action": action}


TAKEN = {
    "text of 4,096": message("text", {"body": "x" * 4096}),
    "three buttons": message("interactive", buttons("x" * 20, "b", "c", footer={"text": "f" * 60})),
    "ten rows": message("interactive", rows(10, description="d" * 72)),
    "link": message("interactive", link()),
    "image by id": message("image", {"id": "1", "caption": "x" * 1024}),
    "document by link": message("document", {"link": "https://example.com/a.pdf", "filename": "a.pdf"}),
    "empty reaction": message("reaction", {"message_id": "wamid.1", "emoji": ""}),
    "location": message("location", {"latitude": "12.9", "longitude": 77.6}),
    "contacts": message("contacts", [{"name": {"formatted_name": "Ravi Rao", "first_name": "Ravi"}}]),
    "template": message("template", {"name": "order", "language": {"code": "en_US"}}),
    "opaque data of 512": message("text", {"body": "x"}, biz_opaque_callback_data="o" * 512),
}

REFUSED = {
    "no product": (100, message("text", {"body": "x"}) | {"messaging_product": None}),
    "group": (100, message("text", {"body": "x"}, recipient_type="group")),
    "unknown type": (100, message("poll", {"body": "x"})),
    "no content": (131008, message("text", {})),
    "content is a list": (100, message("text", ["x"])),
    "empty text": (100, message("text", {"body": ""})),
    "text of 4,097": (100, message("text", {"body": "x" * 4097})),
    "opaque data of 513": (100, message("text", {"body": "x"}, biz_opaque_callback_data="o" * 513)),
    "opaque object": (100, message("text", {"body": "x"}, biz_opaque_callback_data={"id": 1})),
    "context without id": (100, message("text", {"body": "x"}, context={})),
    "four buttons": (131009, message("interactive", buttons("a", "b", "c", "d"))),
    "no button": (131009, message("interactive", buttons())),
    "button of 21": (131009, message("interactive", buttons("x" * 21))),
    "empty button": (131009, message("interactive", buttons(""))),
    "equal titles": (131009, message("interactive", buttons("a", "a"))),
    "body of 1,025": (131009, message("interactive", buttons("a") | {"body": {"text": "x" * 1025}})),
    "no body": (131009, message("interactive", buttons("a") | {"body": None})),
    "footer of 61": (131009, message("interactive", buttons("a", footer={"text": "x" * 61}))),
    "header of 61": (131009, message("interactive", buttons("a", header={"type": "text", "text": "x" * 61}))),
    "eleven rows": (131009, message("interactive", rows(11))),
    "no row": (131009, message("interactive", rows(0))),
    "description of 73": (131009, message("interactive", rows(1, description="d" * 73))),
    "row title of 25": (131009, message("interactive", rows(1, title="t" * 25))),
    "equal rows": (131009, message("interactive", rows(2, id="same"))),
    "interactive type": (100, message("interactive", buttons("a") | {"type": "carousel"})),
    "link without scheme": (131009, message("interactive", link(url="example.com"))),
    "link text of 21": (131009, message("interactive", link(display_text="x" * 21))),
    "id and link": (131008, message("image", {"id": "1", "link": "https://example.com/a.png"})),
    "neither id nor link": (131008, message("image", {"caption": "A"})),
    "link of another scheme": (100, message("image", {"link": "ftp://example.com/a.png"})),
    "caption of 1,025": (100, message("image", {"id": "1", "caption": "x" * 1025})),
    "caption of audio": (100, message("audio", {"id": "1", "caption": "x"})),
    "name of an image": (100, message("image", {"id": "1", "filename": "a.png"})),
    "reaction to nothing": (100, message("reaction", {"emoji": "👍"})),
    "latitude of 91": (131009, message("location", {"latitude": 91, "longitude": 0})),
    "contact without name": (131008, message("contacts", [{"phones": []}])),
    "contact with one name": (131008, message("contacts", [{"name": {"formatted_name": "Ravi"}}])),
    "template without language": (100, message("template", {"name": "order"})),
}


@pytest.mark.parametrize("name", TAKEN)
def test_message_at_its_limits_is_taken(name: str) -> None:
    assert check_message(TAKEN[name]) == TAKEN[name]["type"]


@pytest.mark.parametrize("name", REFUSED)
def test_message_beyond_its_limits_is_refused(name: str) -> None:
    code, body = REFUSED[name]
    with pytest.raises(GraphRefusal) as refusal:
        check_message(body)
    assert (refusal.value.code, refusal.value.status) == (code, 400)


def test_refusal_has_the_shape_of_graph() -> None:
    with pytest.raises(GraphRefusal) as refusal:
        check_message(message("interactive", buttons("x" * 21)))
    assert refusal.value.body("trace") == {
        "error": {
            "message": "(#131009) Parameter value is not valid",
            "type": "OAuthException",
            "code": 131009,
            "error_data": {
                "messaging_product": "whatsapp",
                "details": "Button title length invalid. Min length: 1, Max length: 20",
            },
            "fbtrace_id": "trace",
        }
    }
