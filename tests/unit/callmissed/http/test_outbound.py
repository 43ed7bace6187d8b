"""Who calls out: a URL that a tenant gave goes through the one safe client, or nowhere.

A module that takes up an HTTP client or a socket of its own fails here until somebody writes down where it calls, and
why no tenant decides that. boto3 is left out: it reaches AWS, by its own endpoints.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.paths import ROOT

CORE, TRANSPORTS = "layers/core/python/callmissed", "layers/ai/python/callmissed_ai/transports"
WHY = {
    f"{CORE}/http/client.py": "the safe client itself, which validates every address",
    f"{CORE}/aws/dynamodb.py": "calls DynamoDB of the stage's region, or the emulator that the settings name",
    "functions/auth/mail/senders.py": "sends mails through the server that the operator's settings name",
    f"{TRANSPORTS}/http.py": "calls the base URLs of providers, which the operator's catalog names",
    f"{TRANSPORTS}/sdk.py": "calls the base URLs of providers, which the operator's catalog names",
    f"{TRANSPORTS}/openai_sdk.py": "calls the base URLs of providers, which the operator's catalog names",
    f"{TRANSPORTS}/anthropic_sdk.py": "calls the base URLs of providers, which the operator's catalog names",
}
CLIENTS = {
    "aiohttp",
    "anthropic",
    "botocore.awsrequest",
    "botocore.httpsession",
    "ftplib",
    "grpc",
    "http.client",
    "httpcore",
    "httplib2",
    "httpx",
    "httpx2",
    "openai",
    "pycurl",
    "requests",
    "smtplib",
    "socket",
    "twilio.http",
    "twilio.rest",
    "urllib.request",
    "urllib3",
    "websockets",
}
CONNECTING = {"create_connection", "create_datagram_endpoint", "open_connection", "sock_connect", "urlopen"}
SETTING = {"allow_loopback": "settings.allow_loopback"}


def sources() -> Iterator[Path]:
    for folder in ("functions", "layers/core", "layers/ai"):
        yield from (ROOT / folder).rglob("*.py")


def imported(node: ast.AST) -> list[str]:
    """Full names of what a statement or a call of `import_module` imports."""
    match node:
        case ast.Import(names=names):
            return [alias.name for alias in names]
        case ast.ImportFrom(module=str(module), names=names):
            return [module, *(f"{module}.{alias.name}" for alias in names)]
        case ast.Call(
            func=ast.Name(id="import_module" | "__import__") | ast.Attribute(attr="import_module"),
            args=[ast.Constant(value=str(module)), *_],
        ):
            return [module]
        case _:
            return []


def is_client(module: str) -> bool:
    return any(f"{module}.".startswith(f"{client}.") for client in CLIENTS)


def calls_out(source: str) -> bool:
    nodes = list(ast.walk(ast.parse(source)))
    connecting = (isinstance(node, ast.Attribute) and node.attr in CONNECTING for node in nodes)
    return any(connecting) or any(is_client(module) for node in nodes for module in imported(node))


def test_who_calls_out_by_itself_is_written_down() -> None:
    found = {path.relative_to(ROOT).as_posix() for path in sources() if calls_out(path.read_text())}

    assert found == set(WHY), "call users' URLs with callmissed.http.client.SafeClient"


def test_the_product_uses_the_safe_client_as_it_is() -> None:
    """Another address rule, resolver or trust store is for tests; loopback is the operator's to allow."""
    calls = [call for path in sources() for call in safe_clients(path.read_text())]

    assert len(calls) >= 2
    for call in calls:
        given = {str(keyword.arg): ast.unparse(keyword.value) for keyword in call.keywords}
        assert (given, call.args) == (SETTING, []), ast.unparse(call)


def safe_clients(source: str) -> Iterator[ast.Call]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] == "SafeClient":
            yield node


@pytest.mark.parametrize(
    "source",
    [
        "import aiohttp",
        "import aiohttp.client as a",
        "from aiohttp import ClientSession as S",
        "import json, httpx",
        "from urllib import request",
        "import urllib.request",
        "from urllib.request import urlopen",
        "from http import client",
        "from botocore import httpsession",
        "from twilio.rest import Client",
        "def call():\n    import requests",
        "importlib.import_module('socket')",
        "import_module('urllib3.util')",
        "__import__('openai')",
        "await asyncio.open_connection(host, 443)",
        "await loop.create_connection(make, host, 443)",
    ],
)
def test_calling_out_is_seen(source: str) -> None:
    assert calls_out(source)


@pytest.mark.parametrize(
    "source",
    [
        "from urllib.parse import urlsplit",
        "from http.cookiejar import CookieJar",
        "from http import HTTPStatus",
        "from callmissed.http.client import SafeClient",
        "import boto3",
        "from botocore.exceptions import ClientError",
        "from starlette.requests import Request",
        "from twilio.request_validator import RequestValidator",
        "import socketserver_like",
    ],
)
def test_what_calls_nobody_is_left_alone(source: str) -> None:
    assert not calls_out(source)
