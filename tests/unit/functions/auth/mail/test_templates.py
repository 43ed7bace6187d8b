"""Every mail is complete, has the same text as HTML, and carries no text of strangers that could do harm."""

from html import unescape
from typing import Any

import pytest
from jinja2.meta import find_undeclared_variables

from functions.auth.challenges.codes import CodePurpose
from functions.auth.mail.templates import FOLDER, TEMPLATES, environment, render, shown_name

CONSOLE = "https://console.example.com/"
EACH = pytest.mark.parametrize("name", TEMPLATES)


def test_every_template_is_listed() -> None:
    assert {path.stem for path in FOLDER.glob("*.txt")} == TEMPLATES.keys()
    assert {str(purpose) for purpose in CodePurpose} <= TEMPLATES.keys()


@EACH
def test_mail_is_complete(name: str) -> None:
    mail = render(name, "ada@example.com", TEMPLATES[name], CONSOLE)

    assert mail.subject == mail.subject.strip() != ""
    assert "{" not in mail.text + mail.subject
    assert mail.text.startswith("Hello")
    for paragraph in mail.text.strip().split("\n\n"):
        assert paragraph in unescape(mail.html)


@EACH
def test_template_reads_the_parameters_that_are_listed(name: str) -> None:
    source = (FOLDER / f"{name}.txt").read_text()
    assert find_undeclared_variables(environment().parse(source)) - {"console_url"} == TEMPLATES[name].keys()


@EACH
def test_links_go_to_the_console_or_are_left_out(name: str) -> None:
    with_console, without = (render(name, "ada@example.com", TEMPLATES[name], url) for url in (CONSOLE, ""))

    links = [line for line in with_console.text.splitlines() if line.startswith("https://console.example.com/")]
    assert all(f'<a href="{link}">' in with_console.html for link in links)
    assert "console.example.com" not in without.text
    assert "\n\n\n" not in with_console.text + without.text


@pytest.mark.parametrize(
    "name", ["win at https://evil.example", "evil.example", "call 555123456", "me@evil.example", "a" * 61]
)
def test_name_that_is_a_message_is_not_mailed(name: str) -> None:
    mail = render("register", "ada@example.com", {"full_name": name, "code": "481516"})
    assert mail.text.startswith("Hello,\n")
    assert name not in mail.text + mail.html


@pytest.mark.parametrize("name", ["Ada", "J.R.R. Tolkien", "S. Kumar", "O'Brien", "Ana María", "李小龙"])
def test_name_of_a_person_is_shown(name: str) -> None:
    assert shown_name(name) == name


def test_html_of_a_name_stays_text() -> None:
    parameters: dict[str, Any] = {"full_name": "<b>Ada</b>", "code": "481516"}
    mail = render("login", "ada@example.com", {**parameters, "full_name": "<b>Ada"})
    assert "&lt;b&gt;Ada" in mail.html
