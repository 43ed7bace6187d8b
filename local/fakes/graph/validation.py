"""What Graph refuses of a message that is to be sent, by type.

https://developers.facebook.com/documentation/business-messaging/whatsapp/reference/whatsapp-business-phone-number/message-api
"""

from collections.abc import Callable, Mapping
from typing import Any, cast
from urllib.parse import urlsplit

from local.fakes.graph.errors import (
    INVALID_VALUE,
    MISSING_PARAMETER,
    GraphRefusal,
    JsonObject,
    invalid_parameter,
)
from local.fakes.graph.interactive import check_interactive
from local.fakes.graph.state import MEDIA_KINDS

MAX_TEXT = 4096
_MAX_CAPTION = 1024
_MAX_OPAQUE = 512
_CAPTIONED = ("image", "video", "document")


def check_message(body: JsonObject) -> str:
    """The type of a message that Graph takes. Raises GraphRefusal."""
    if body.get("messaging_product") != "whatsapp":
        raise invalid_parameter("The parameter messaging_product is required.")
    if body.get("recipient_type", "individual") != "individual":
        raise invalid_parameter("Param recipient_type must be one of {individual}")
    kind = body.get("type", "text")
    if kind not in _CHECKS:
        raise invalid_parameter(f'Param type must be one of {{{", ".join(_CHECKS).upper()}}} - got "{kind}".')
    _check_around(body)
    part = body.get(kind)
    if not part:
        raise GraphRefusal(MISSING_PARAMETER, f"Parameter '{kind}' is mandatory for type '{kind}'")
    wanted = list if kind == "contacts" else dict
    if not isinstance(part, wanted):
        raise invalid_parameter(f"Param {kind} must be a JSON {'array' if wanted is list else 'object'}.")
    _CHECKS[kind](part)
    return kind


def _check_around(body: JsonObject) -> None:
    opaque = body.get("biz_opaque_callback_data")
    if opaque is not None and (not isinstance(opaque, str) or len(opaque) > _MAX_OPAQUE):
        raise invalid_parameter(f"Param biz_opaque_callback_data must be a string of at most {_MAX_OPAQUE} characters")
    context = body.get("context")
    if context is not None and not _text(context, "message_id"):
        raise invalid_parameter("Param context['message_id'] must be a string.")


def _check_text(part: JsonObject) -> None:
    text = part.get("body")
    if not isinstance(text, str) or not text:
        raise invalid_parameter("The parameter text['body'] is required.")
    if len(text) > MAX_TEXT:
        raise invalid_parameter(f"Param text['body'] must be at most {MAX_TEXT} characters long.")


def _media_check(kind: str) -> Callable[[Any], None]:
    def check(part: JsonObject) -> None:
        given = [name for name in ("id", "link") if part.get(name)]
        if len(given) != 1:
            raise GraphRefusal(MISSING_PARAMETER, f"Exactly one of '{kind}.id' and '{kind}.link' is needed")
        if given == ["link"] and urlsplit(str(part["link"])).scheme not in ("http", "https"):
            raise invalid_parameter(f"Param {kind}['link'] must be a valid URI.")
        caption = part.get("caption")
        if caption is not None and kind not in _CAPTIONED:
            raise invalid_parameter(f'Unexpected key "caption" on param "{kind}".')
        if caption is not None and len(str(caption)) > _MAX_CAPTION:
            raise invalid_parameter(f"Param {kind}['caption'] must be at most {_MAX_CAPTION} characters long.")
        if part.get("filename") is not None and kind != "document":
            raise invalid_parameter(f'Unexpected key "filename" on param "{kind}".')

    return check


def _check_reaction(part: JsonObject) -> None:
    if not _text(part, "message_id"):
        raise invalid_parameter("The parameter reaction['message_id'] is required.")
    if not isinstance(part.get("emoji", ""), str):
        raise invalid_parameter("Param reaction['emoji'] must be a string.")


def _check_location(part: JsonObject) -> None:
    for name, limit in (("latitude", 90), ("longitude", 180)):
        try:
            fits = abs(float(part[name])) <= limit
        except (KeyError, TypeError, ValueError):
            fits = False
        if not fits:
            raise GraphRefusal(INVALID_VALUE, f"Location {name} is missing or not valid")


def _check_contacts(part: list[JsonObject]) -> None:
    for contact in part:
        name = cast("JsonObject", contact.get("name") or {})
        others = ("first_name", "last_name", "middle_name", "suffix", "prefix")
        if not _text(name, "formatted_name") or not any(_text(name, other) for other in others):
            raise GraphRefusal(MISSING_PARAMETER, "contacts: name.formatted_name and one more part of the name")


def _check_template(part: JsonObject) -> None:
    language = part.get("language")
    if not _text(part, "name") or not _text(language, "code"):
        raise invalid_parameter("The parameters template['name'] and template['language']['code'] are required.")


def _text(part: Any, name: str) -> str:
    """The text `name` of an object; empty without one."""
    value = cast("JsonObject", part).get(name) if isinstance(part, dict) else None
    return value if isinstance(value, str) else ""


_CHECKS: Mapping[str, Callable[[Any], None]] = {
    "text": _check_text,
    **{kind: _media_check(kind) for kind in MEDIA_KINDS},
    "interactive": check_interactive,
    "reaction": _check_reaction,
    "location": _check_location,
    "contacts": _check_contacts,
    "template": _check_template,
}
