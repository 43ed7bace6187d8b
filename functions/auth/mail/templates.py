"""Mails from templates: subject, plain text, and the same text as HTML."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

FOLDER = Path(__file__).parent / "templates"


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail, ready to send."""

    to: str
    subject: str
    text: str
    html: str


def render(name: str, to: str, parameters: Mapping[str, Any]) -> Mail:
    """The mail of template `name`. Raises jinja2.TemplateError for an unknown template or a missing parameter.

    The first line of the template is the subject, the paragraphs after it are the text.
    """
    text = _environment().get_template(f"{name}.txt").render(parameters)
    subject, _, body = text.partition("\n")
    paragraphs = [paragraph.strip() for paragraph in body.split("\n\n") if paragraph.strip()]
    html = _environment().get_template("mail.html").render(subject=subject, paragraphs=paragraphs)
    return Mail(to, subject, body.strip() + "\n", html)


@cache
def _environment() -> Environment:
    escapes = select_autoescape(["html"])
    # S701 does not know that `select_autoescape` returns a function
    return Environment(loader=FileSystemLoader(FOLDER), autoescape=escapes, undefined=StrictUndefined)  # noqa: S701
