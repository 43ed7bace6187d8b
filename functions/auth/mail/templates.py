"""Mails from templates: subject, plain text, and the same text as HTML."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

FOLDER = Path(__file__).parent / "templates"

_PERSON = {"full_name": "Ada Lovelace"}
_CODE = {**_PERSON, "code": "481516"}
TEMPLATES: Mapping[str, Mapping[str, Any]] = {
    "register": _CODE,
    "register_again": {},
    "login": _CODE,
    "reset": _CODE,
    "recovery": _CODE,
    "password_changed": _PERSON,
    "second_factor_added": {**_PERSON, "factor": "an authenticator app"},
    "second_factor_removed": _PERSON,
    "session_replay": _PERSON,
    "invitation": {**_PERSON, "inviter": "Grace Hopper", "tenant": "Acme", "has_password": False},
    "ownership_received": {"former": "Ada Lovelace", "owner": "Grace Hopper"},
    "ownership_given": {"former": "Ada Lovelace", "owner": "Grace Hopper"},
    "webhook_disabled": {**_PERSON, "url": "https://example.com/hooks", "reason": "gone", "since": ""},
    "key_leaked": {**_PERSON, "name": "server", "masked": "cm_live_aB3d…Xy9z"},
}
"""Every mail, with parameters as an example. A job gives the same ones."""

_CONSOLE = "console_url"
_MAX_NAME = 60
_LIKE_A_LINK = re.compile(r"[:/@\\]|\w{2,}\.\w{2,}|\d{5}")


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail, ready to send."""

    to: str
    subject: str
    text: str
    html: str


def render(name: str, to: str, parameters: Mapping[str, Any], console_url: str = "") -> Mail:
    """The mail of template `name`. Raises jinja2.TemplateError for an unknown template or a missing parameter.

    The first line of the template is the subject, the paragraphs after it are the text. Without `console_url` the mail
    has no links.
    """
    known = {**parameters, _CONSOLE: console_url.rstrip("/")}
    subject, _, body = environment().get_template(f"{name}.txt").render(known).partition("\n")
    paragraphs = [paragraph.strip() for paragraph in body.split("\n\n") if paragraph.strip()]
    html = environment().get_template("mail.html").render(subject=subject, paragraphs=paragraphs)
    return Mail(to, subject, "\n\n".join(paragraphs) + "\n", html)


def shown_name(name: str) -> str:
    """The name that somebody has given, empty where it could be a link, a number to call, or a text of its own.

    Anybody can register anybody's address under any name, and this mail would carry it.
    """
    return "" if len(name) > _MAX_NAME or _LIKE_A_LINK.search(name) else " ".join(name.split())


def _greeting(name: str) -> str:
    shown = shown_name(name)
    return f"Hello {shown}," if shown else "Hello,"


@cache
def environment() -> Environment:
    """Jinja's environment of the templates, with their filters."""
    escapes = select_autoescape(["html"])
    # S701 does not know that `select_autoescape` returns a function
    made = Environment(loader=FileSystemLoader(FOLDER), autoescape=escapes, undefined=StrictUndefined)  # noqa: S701
    made.filters.update(greeting=_greeting, shown=shown_name)
    return made
