"""Runs a client's scenarios against models, and prints a line of JSON for each. It needs the standard library alone.

python run_<client>.py '{"origin": "http://…", "key": "cm_…", "models": {"chat": "via-chat"}, "only": null}'
"""

import asyncio
import inspect
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
WEATHER: dict[str, Any] = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}


@dataclass(frozen=True)
class Setting:
    """Where a scenario calls, with which key, and which model."""

    origin: str
    key: str
    model: str


Scenario = Callable[[Setting], Any]


def run(scenarios: Mapping[str, Scenario], packages: Sequence[str]) -> None:
    """Run what the first argument asks for."""
    asked = json.loads(sys.argv[1])
    say({"versions": {name: version(name) for name in packages}})
    for upstream, model in asked["models"].items():
        for name, scenario in scenarios.items():
            if asked["only"] is None or name in asked["only"]:
                detail = outcome(scenario, Setting(asked["origin"], asked["key"], model))
                say({"scenario": name, "upstream": upstream, "ok": not detail, "detail": detail})


def outcome(scenario: Scenario, setting: Setting) -> str:
    """What went wrong, in one line; "" for nothing."""
    try:
        result = scenario(setting)
        if inspect.isawaitable(result):
            asyncio.run(result)  # type: ignore[arg-type]  scenarios are coroutines or plain functions
    except Exception as error:
        return f"{type(error).__name__}: {error}".replace("\n", " ")[:300]
    return ""


def say(line: Mapping[str, Any]) -> None:
    """Print a line for the tests."""
    print(json.dumps(line), flush=True)


def expect(condition: object, what: object) -> None:
    """Fail with `what` unless `condition` holds."""
    if not condition:
        raise AssertionError(what)
