"""The Lambda Runtime API of one execution environment, and the endpoint of its credentials.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

import asyncio
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from aiohttp import web

_VERSION = "/2018-06-01/runtime"
_MAX_RESPONSE = 6 * 1024 * 1024
CREDENTIALS_PATH = "/2021-04-23/credentials"


class FunctionError(Exception):
    """The function failed. The text is its `errorMessage`; `kind` is the type of the error."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


@dataclass(slots=True)
class _Call:
    id: str
    event: Any
    deadline_ms: int
    answer: asyncio.Future[Any]


class RuntimeApi:
    """The API that one runtime polls. `credentials` are served where a snapshot may not hold them."""

    def __init__(self, function_arn: str, credentials: Mapping[str, str], authorization: str) -> None:
        self._function_arn = function_arn
        self._credentials = credentials
        self._authorization = authorization
        self._waiting: asyncio.Queue[_Call] = asyncio.Queue()
        self._running: dict[str, _Call] = {}
        self.started: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.restored = False
        self._count = 0

    def app(self) -> web.Application:
        """The application."""
        app = web.Application(client_max_size=_MAX_RESPONSE + 1024)
        app.router.add_get(f"{_VERSION}/invocation/next", self._next)
        app.router.add_post(f"{_VERSION}/invocation/{{id}}/response", self._response)
        app.router.add_post(f"{_VERSION}/invocation/{{id}}/error", self._error)
        app.router.add_post(f"{_VERSION}/init/error", self._start_error)
        app.router.add_get(f"{_VERSION}/restore/next", self._restore)
        app.router.add_post(f"{_VERSION}/restore/error", self._start_error)
        app.router.add_get(CREDENTIALS_PATH, self._give_credentials)
        return app

    async def invoke(self, event: Any, seconds: float) -> Any:
        """The function's answer. Raises FunctionError, TimeoutError."""
        self._count += 1
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        call = _Call(f"{self._count:032x}", event, int((time.time() + seconds) * 1000), answer)
        await self._waiting.put(call)
        async with asyncio.timeout(seconds):
            return await answer

    def fail(self, error: Exception) -> None:
        """End everything that waits: the runtime has ended."""
        for call in self._running.values():
            if not call.answer.done():
                call.answer.set_exception(error)
        if not self.started.done():
            self.started.set_exception(error)

    async def _next(self, _request: web.Request) -> web.Response:
        if not self.started.done():
            self.started.set_result(None)
        call = await self._waiting.get()
        self._running[call.id] = call
        headers = {
            "Lambda-Runtime-Aws-Request-Id": call.id,
            "Lambda-Runtime-Deadline-Ms": str(call.deadline_ms),
            "Lambda-Runtime-Invoked-Function-Arn": self._function_arn,
            "Lambda-Runtime-Trace-Id": "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=0",
        }
        # Without a charset, as Lambda sends it: the runtime client leaves any other type as bytes.
        return web.Response(body=json.dumps(call.event).encode(), headers=headers, content_type="application/json")

    async def _response(self, request: web.Request) -> web.Response:
        body = await request.read()
        answer = self._answer_of(request)
        if not answer.done():
            answer.set_result(json.loads(body))
        return web.json_response({"status": "OK"}, status=202)

    async def _error(self, request: web.Request) -> web.Response:
        error = _function_error(await request.json(loads=_lenient))
        answer = self._answer_of(request)
        if not answer.done():
            answer.set_exception(error)
        return web.json_response({"status": "OK"}, status=202)

    def _answer_of(self, request: web.Request) -> asyncio.Future[Any]:
        return self._running.pop(request.match_info["id"]).answer

    async def _start_error(self, request: web.Request) -> web.Response:
        self.fail(_function_error(await request.json(loads=_lenient)))
        return web.json_response({"status": "OK"}, status=202)

    async def _restore(self, _request: web.Request) -> web.Response:
        """The environment is restored at once: the snapshot is the process as it is."""
        self.restored = True
        return web.Response()

    async def _give_credentials(self, request: web.Request) -> web.Response:
        if request.headers.get("Authorization") != self._authorization:
            return web.Response(status=403)
        return web.json_response(dict(self._credentials))


def _lenient(text: str) -> Any:
    return json.loads(text or "{}")


def _function_error(body: Any) -> FunctionError:
    given = cast("Mapping[str, Any]", body)
    return FunctionError(str(given.get("errorType", "Unknown")), str(given.get("errorMessage", "")))
