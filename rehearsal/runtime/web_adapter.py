"""A stand-in for the Lambda Web Adapter: it starts the function's script, waits, and passes requests on to its server.

https://aws.github.io/aws-lambda-web-adapter/configuration/environment-variables.html
"""

import asyncio
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import aiohttp
from starlette.types import Receive, Scope, Send

from local.api_gateway.events import proxy_event
from local.api_gateway.proxy_integration import http_request
from local.ports import HOST, free_port
from rehearsal.errors import UnsupportedError
from rehearsal.runtime.environments import START_SECONDS, DeployedFunction, ExecutionEnvironment, Surroundings
from rehearsal.runtime.runtime_api import FunctionError, RuntimeApi

_WRAPPER = "/opt/bootstrap"
_CONTEXT = "x-amzn-request-context"
_POLL_SECONDS = 0.05
_DROPPED = {"connection", "keep-alive", "transfer-encoding"}


class WebEnvironment(ExecutionEnvironment):
    """The server of a web app. An ASGI application for the gateway, which streams what the server answers."""

    def __init__(self, function: DeployedFunction, surroundings: Surroundings) -> None:
        super().__init__(function, surroundings)
        self._port = 0
        self._client: aiohttp.ClientSession | None = None
        self._starting = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request whose body arrives whole."""
        await self._started()
        body: bytes = (await receive())["body"]
        request = http_request(scope, body)
        context = json.dumps(proxy_event(request)["requestContext"])
        headers = [*request.headers, (_CONTEXT, context)]
        query = f"?{request.query}" if request.query else ""
        url = f"http://{HOST}:{self._port}{request.path}{query}"
        async with self._session().request(request.method, url, data=body, headers=headers) as answer:
            kept = [(name, value) for name, value in answer.raw_headers if name.decode().lower() not in _DROPPED]
            await send({"type": "http.response.start", "status": answer.status, "headers": kept})
            async for chunk in answer.content.iter_any():
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body", "body": b""})

    async def invoke(self, event: Any) -> Any:
        """Pass on an event that API Gateway did not send, but that looks like one of its own, as the adapter does.

        Raises FunctionError for another event, which the adapter posts to a path that web apps do not have.
        """
        await self._started()
        if "httpMethod" not in event:
            raise FunctionError("Runtime.PassThrough", "a web app answers HTTP requests only")
        headers = {**event["headers"], _CONTEXT: json.dumps(event["requestContext"])}
        url = f"http://{HOST}:{self._port}{event['path']}"
        async with self._session().request(event["httpMethod"], url, headers=headers) as answer:
            if not answer.ok:
                raise FunctionError("Runtime.Answer", f"{event['httpMethod']} {event['path']} answers {answer.status}")
            return await answer.text()

    async def _started(self) -> None:
        async with self._starting:
            if self._client is None:
                await self.start()
        self.calls += 1

    async def close(self) -> None:
        """End the server; the next call starts another."""
        await super().close()
        if self._client is not None:
            await self._client.close()
            self._client = None

    def _is_restored(self, api: RuntimeApi) -> bool:
        return True  # the adapter's hooks have answered

    async def _run(self, variables: Mapping[str, str]) -> None:
        if variables.get("AWS_LAMBDA_EXEC_WRAPPER") != _WRAPPER:
            raise UnsupportedError(f"{self.function.resource.path}: the Web Adapter starts by {_WRAPPER}")
        self._port = free_port()
        bundle = self.function.bundle
        # The script searches its own folder and /opt/python; this machine has the latter elsewhere.
        root = os.pathsep.join([str(bundle.code), *bundle.python_path])
        self._spawn(
            [f"./{variables['_HANDLER']}"], {**variables, "AWS_LWA_PORT": str(self._port), "LAMBDA_TASK_ROOT": root}
        )
        self._client = aiohttp.ClientSession(auto_decompress=False)
        await self._ready(variables)
        if self.function.snap_start:
            for hook in ("AWS_LWA_SNAPSTART_BEFORE_CHECKPOINT_PATH", "AWS_LWA_SNAPSTART_AFTER_RESTORE_PATH"):
                await self._call_hook(variables[hook])
        self._running_api().started.set_result(None)

    async def _ready(self, variables: Mapping[str, str]) -> None:
        path = variables.get("AWS_LWA_READINESS_CHECK_PATH", "/")
        low, _, high = variables.get("AWS_LWA_READINESS_CHECK_HEALTHY_STATUS", "100-499").partition("-")
        started = self._running_api().started
        async with asyncio.timeout(START_SECONDS):
            while not started.done():
                with suppress(aiohttp.ClientError):
                    async with self._session().get(f"http://{HOST}:{self._port}{path}") as answer:
                        if int(low) <= answer.status <= int(high):
                            return
                await asyncio.sleep(_POLL_SECONDS)
        await started  # raises why the server ended

    async def _call_hook(self, path: str) -> None:
        async with self._session().post(f"http://{HOST}:{self._port}{path}") as answer:
            if not answer.ok:
                raise FunctionError("Runtime.SnapStart", f"POST {path} answers {answer.status}")

    def _session(self) -> aiohttp.ClientSession:
        if self._client is None:
            raise FunctionError("Runtime.ExitError", "the server does not run")
        return self._client
