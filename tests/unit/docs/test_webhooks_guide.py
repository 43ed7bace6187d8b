"""The guide for webhooks says what the code does."""

import ast
import json
import re

import pytest

from callmissed.clock import Micros
from callmissed.events.outbox import new_event
from callmissed.events.types import EVENT_TYPES, catalogue
from callmissed.platform.routes import ROUTES, Auth
from functions.webhooks.delivery.schedule import ATTEMPTS, JITTER, WAITS
from functions.webhooks.delivery.signing import headers, new_secret
from local.paths import ROOT

GUIDE = (ROOT / "docs" / "webhooks.md").read_text()
RECEIVER = (ROOT / "docs" / "webhooks" / "receive.py").read_text()
OF_THE_API = "/api/v1/webhooks"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", GUIDE, re.DOTALL | re.MULTILINE)


def event_table() -> str:
    lines = ["| event | published when | fields of `data` |", "|---|---|---|"]
    for kind in catalogue():
        fields = ", ".join(f"`{name}`" for name in kind["schema"]["properties"])
        lines.append(f"| `{kind['name']}` | {kind['description']} | {fields} |")
    return "\n".join(lines)


def test_the_table_of_event_types_is_current() -> None:
    table = GUIDE.split("<!-- event types -->\n")[1].split("\n<!-- /event types -->")[0]
    assert table == event_table(), f"put this into docs/webhooks.md:\n{event_table()}"


def test_the_example_is_an_event_of_today() -> None:
    example = json.loads(blocks("json")[0])

    kind = EVENT_TYPES[example["event"]]
    made = json.loads(new_event("tnt_1", kind.model_validate(example["data"]), Micros(0)).body)
    assert [*made] == [*example]
    assert made["data"] == example["data"]
    assert (len(made["id"]), made["version"]) == (len(example["id"]), example["version"])


@pytest.mark.parametrize("name", headers([new_secret()], "dlv_1", "test", b"", 0))
def test_every_header_is_explained(name: str) -> None:
    assert f"| `{name}`" in GUIDE or f", `{name}` |" in GUIDE


def test_the_check_that_it_shows_is_that_of_the_receiver() -> None:
    (shown,) = [text for text in blocks("python") if text.startswith("def verified(")]

    assert shown in RECEIVER
    assert shown.count("\n") <= 15
    assert isinstance(ast.parse(shown).body[0], ast.FunctionDef)


def test_it_names_every_route() -> None:
    shown = {text.split("?")[0] for text in re.findall(r"`((?:GET|POST|PUT|DELETE) /[^` ]*)", GUIDE)}
    of_tenants = [route for route in ROUTES if route.function == "webhooks" and route.auth is not Auth.OPERATOR]
    for route in of_tenants:
        path = route.path.removeprefix(OF_THE_API).replace("{webhook_id}", "{id}") or "/"
        assert f"{route.method} {path}" in shown


def test_the_schedule_is_that_of_the_sender() -> None:
    rows = re.findall(r"^\| (\d+) \| ([^|]+) \| [^|]+ \|$", GUIDE, re.MULTILINE)
    units = {"s": 1, "min": 60, "h": 3600}
    waits = [int(count) * units[unit] for count, unit in (text.split() for _, text in rows[1:])]

    assert [int(number) for number, _ in rows] == list(range(1, ATTEMPTS + 1))
    assert tuple(waits) == WAITS
    assert f"±{JITTER:.0%}".replace("%", " %") in GUIDE
