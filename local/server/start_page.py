"""`/`, `/docs` and `/openapi.json` on the local stack: where a browser that opens the base URL is led.

The pages have no secrets and load nothing from elsewhere. A deployed stage has no such routes.
"""

import html
import json
from collections.abc import Iterator
from typing import Any

from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from local.paths import ROOT

_DOCUMENT = ROOT / "docs" / "api" / "openapi.json"
_METHODS = ("get", "post", "put", "patch", "delete")
_START = """\
CallMissed, local stack

{base}/v1                  base URL for SDKs; the keys are in the terminal of 'make dev'
{base}/docs                every route, with what it does
{base}/openapi.json        the same for programs
{base}/api/v1/models       the models, and which of them can be called here
{base}/_local/outbox       the events of all tenants
{base}/_local/phone/       the phone of a customer who writes on WhatsApp

The guides are in the folder docs/ of the repository; begin with docs/README.md.
"""
_PAGE = """\
<!doctype html><html lang="en"><meta charset="utf-8"><title>CallMissed API</title>
<style>body {{ font: 16px/1.5 sans-serif; margin: 2em }} td {{ padding: 0 1.5em 0 0; vertical-align: top }}</style>
<h1>CallMissed API</h1>
<p>Send the key, or where the route asks for a person the access token, as <code>Authorization: Bearer …</code>.
Schemas and examples: <a href="/openapi.json">openapi.json</a>.</p>
<table>
{rows}
</table>
</html>
"""


def _start(request: Request) -> Response:
    return PlainTextResponse(_START.format(base=str(request.base_url).rstrip("/")))


def _docs(_request: Request) -> Response:
    document = json.loads(_DOCUMENT.read_bytes())
    return HTMLResponse(_PAGE.format(rows="\n".join(_rows(document["paths"]))))


def _rows(paths: dict[str, Any]) -> Iterator[str]:
    for path, operations in paths.items():
        for method in filter(operations.__contains__, _METHODS):
            cells = (method.upper(), path, operations[method].get("summary", ""))
            yield "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in cells) + "</tr>"


def _openapi(_request: Request) -> Response:
    return FileResponse(_DOCUMENT, media_type="application/json")


START_ROUTES = (Route("/", _start), Route("/docs", _docs), Route("/openapi.json", _openapi))
START_PATHS = frozenset(route.path for route in START_ROUTES)
