"""What Graph refuses of interactive messages.

https://developers.facebook.com/documentation/business-messaging/whatsapp/messages/interactive-list-messages
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, cast

from local.fakes.graph.errors import INVALID_VALUE, GraphRefusal, JsonObject, invalid_parameter

MAX_BUTTONS = 3
MAX_BUTTON_TITLE = 20
MAX_ROWS = 10
_MAX_BUTTON_ID = 256
_MAX_BODY = 1024
_MAX_LIST_BODY = 4096
_MAX_FOOTER = 60
_MAX_HEADER = 60
_MAX_ROW_ID = 200
_MAX_ROW_TITLE = 24
_MAX_DESCRIPTION = 72


def check_interactive(part: JsonObject) -> None:
    """Raises GraphRefusal for an interactive message that Graph does not take."""
    kind = str(part.get("type"))
    if kind not in _ACTIONS:
        raise invalid_parameter(f"Param interactive['type'] must be one of {{{', '.join(_ACTIONS).upper()}}}")
    body = _object(part.get("body"))
    _length("Body text", body.get("text"), _MAX_LIST_BODY if kind == "list" else _MAX_BODY)
    if part.get("footer") is not None:
        _length("Footer text", _object(part["footer"]).get("text"), _MAX_FOOTER)
    header = _object(part.get("header"))
    if header.get("type") == "text":
        _length("Header text", header.get("text"), _MAX_HEADER)
    _ACTIONS[kind](_object(part.get("action")))


def offered(part: JsonObject) -> dict[str, JsonObject]:
    """What a user can choose of an interactive message: buttons and rows by id."""
    action = _object(part.get("action"))
    buttons = [_object(button.get("reply")) for button in _objects(action.get("buttons"))]
    rows = [row for section in _objects(action.get("sections")) for row in _objects(section.get("rows"))]
    return {str(choice.get("id")): choice for choice in (*buttons, *rows)}


def _check_buttons(action: JsonObject) -> None:
    buttons = _objects(action.get("buttons"))
    if not 1 <= len(buttons) <= MAX_BUTTONS:
        raise _invalid(f"Invalid buttons count. Min allowed buttons: 1, Max allowed buttons: {MAX_BUTTONS}")
    replies = [_object(button.get("reply")) for button in buttons]
    for button, reply in zip(buttons, replies, strict=True):
        if button.get("type") != "reply":
            raise _invalid("Button type must be reply")
        _length("Button title", reply.get("title"), MAX_BUTTON_TITLE)
        _length("Button id", reply.get("id"), _MAX_BUTTON_ID)
    _unique("Button ids", (reply["id"] for reply in replies))
    _unique("Button titles", (reply["title"] for reply in replies))


def _check_list(action: JsonObject) -> None:
    _length("Button", action.get("button"), MAX_BUTTON_TITLE)
    sections = _objects(action.get("sections"))
    if not 1 <= len(sections) <= MAX_ROWS:
        raise _invalid(f"Invalid sections count. Min allowed sections: 1, Max allowed sections: {MAX_ROWS}")
    for section in sections:
        if len(sections) > 1 or section.get("title") is not None:
            _length("Section title", section.get("title"), _MAX_ROW_TITLE)
    rows = [row for section in sections for row in _objects(section.get("rows"))]
    if not 1 <= len(rows) <= MAX_ROWS:
        raise _invalid(f"Total row count exceed max allowed count: {MAX_ROWS}")
    for row in rows:
        _check_row(row)
    _unique("Row ids", (row["id"] for row in rows))


def _check_row(row: JsonObject) -> None:
    _length("Row id", row.get("id"), _MAX_ROW_ID)
    _length("Row title", row.get("title"), _MAX_ROW_TITLE)
    if row.get("description"):
        _length("Row description", row["description"], _MAX_DESCRIPTION)


def _check_link(action: JsonObject) -> None:
    parameters = _object(action.get("parameters"))
    if action.get("name") != "cta_url":
        raise _invalid("Action name must be cta_url")
    _length("Display text", parameters.get("display_text"), MAX_BUTTON_TITLE)
    if not str(parameters.get("url", "")).startswith(("http://", "https://")):
        raise _invalid("Action url must be a valid URL")


def _check_location_request(action: JsonObject) -> None:
    if action.get("name") != "send_location":
        raise _invalid("Action name must be send_location")


_ACTIONS: Mapping[str, Callable[[JsonObject], None]] = {
    "button": _check_buttons,
    "list": _check_list,
    "cta_url": _check_link,
    "location_request_message": _check_location_request,
}


def _length(name: str, text: Any, limit: int) -> None:
    if not isinstance(text, str) or not 1 <= len(text) <= limit:
        raise _invalid(f"{name} length invalid. Min length: 1, Max length: {limit}")


def _unique(name: str, values: Iterable[str]) -> None:
    listed = list(values)
    if len(set(listed)) < len(listed):
        raise _invalid(f"{name} must be unique")


def _invalid(details: str) -> GraphRefusal:
    return GraphRefusal(INVALID_VALUE, details)


def _object(value: Any) -> JsonObject:
    return cast("JsonObject", value) if isinstance(value, dict) else {}


def _objects(value: Any) -> list[JsonObject]:
    return [_object(each) for each in cast("list[Any]", value)] if isinstance(value, list) else []
