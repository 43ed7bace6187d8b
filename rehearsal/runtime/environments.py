"""One execution environment a function: a process of its own with the bundle, as the template configures it."""

import asyncio
import os
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiohttp import web

from local.aws.account import REGION
from local.aws.processes import running
from local.ports import HOST
from rehearsal.access.gate import Principal
from rehearsal.runtime.bundles import FunctionBundle
from rehearsal.runtime.runtime_api import CREDENTIALS_PATH, FunctionError, RuntimeApi
from rehearsal.templates.plan import PlannedResource

START_SECONDS = 60.0
"""Longer than Lambda's ten seconds, because this machine is shared."""
_WATCH_SECONDS = 0.1
_IN_FOLDER = 'cd "$0" && exec "$@"'


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What all environments share: folders for `logs`, `tools` and AWS's runtime `client`, and the URL of the gate.

    `additions` are variables that only a rehearsal sets.
    """

    logs: Path
    tools: Path
    client: Path
    gate_url: str
    additions: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class DeployedFunction:
    """A planned function with its bundle and its credentials."""

    resource: PlannedResource
    bundle: FunctionBundle
    access_key: str
    principal: Principal

    @property
    def timeout_seconds(self) -> float:
        """Seconds after which Lambda ends a call."""
        return float(self.resource.properties.get("Timeout", 3))

    @property
    def snap_start(self) -> bool:
        """Whether published versions start from a snapshot."""
        return self.resource.properties.get("SnapStart", {}).get("ApplyOn") == "PublishedVersions"

    def variables(self, surroundings: Surroundings) -> dict[str, str]:
        """The environment, without credentials. https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html"""
        given = self.resource.properties
        own: Mapping[str, str] = given.get("Environment", {}).get("Variables", {})
        return {
            **own,
            "_HANDLER": given["Handler"],
            "AWS_DEFAULT_REGION": REGION,
            "AWS_EXECUTION_ENV": "AWS_Lambda_python3.13",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(given.get("MemorySize", 128)),
            "AWS_LAMBDA_FUNCTION_NAME": self.resource.name,
            "AWS_LAMBDA_FUNCTION_VERSION": "1",
            "AWS_LAMBDA_INITIALIZATION_TYPE": "snap-start" if self.snap_start else "on-demand",
            "AWS_LAMBDA_LOG_GROUP_NAME": given.get("LoggingConfig", {}).get("LogGroup", ""),
            "AWS_LAMBDA_LOG_STREAM_NAME": "rehearsal",
            "AWS_REGION": REGION,
            "AWS_XRAY_CONTEXT_MISSING": "LOG_ERROR",
            "AWS_XRAY_DAEMON_ADDRESS": "127.0.0.1:9",
            "LAMBDA_RUNTIME_DIR": str(surroundings.client),
            "LAMBDA_TASK_ROOT": str(self.bundle.code),
            "LANG": "en_US.UTF-8",
            "PATH": f"{surroundings.tools}{os.pathsep}{os.defpath}",
            "PYTHONDONTWRITEBYTECODE": "1",  # /var/task can't be written to
            "TZ": ":UTC",
            "AWS_ENDPOINT_URL": surroundings.gate_url,
            "CALLMISSED_DYNAMODB_ENDPOINT": surroundings.gate_url,
            **surroundings.additions,
        }


class ExecutionEnvironment:
    """The process of one function, started with its first call. One call at a time, as in Lambda."""

    def __init__(self, function: DeployedFunction, surroundings: Surroundings) -> None:
        self.function = function
        self.calls = 0
        self.surroundings = surroundings
        self._resources = ExitStack()
        self._turn = asyncio.Lock()
        self._api: RuntimeApi | None = None
        self._runner: web.AppRunner | None = None
        self._watch: asyncio.Task[None] | None = None
        self._ended = False

    async def invoke(self, event: Any) -> Any:
        """The function's answer. Raises FunctionError; the text of a timeout is Lambda's."""
        async with self._turn:
            self.calls += 1
            if self._api is None:
                await self.start()
            seconds = self.function.timeout_seconds
            try:
                return await self._running_api().invoke(event, seconds)
            except TimeoutError:
                await self.close()
                raise FunctionError("Sandbox.Timedout", f"Task timed out after {seconds:.2f} seconds") from None

    async def start(self) -> None:
        """Start the runtime and wait until it asks for work. Raises FunctionError with what it reported."""
        if self._ended:
            raise FunctionError("Runtime.ExitError", "the environment has ended")
        function = self.function
        authorization = function.principal.session_token
        self._api = RuntimeApi(f"{function.resource.arn}:live", self._credentials(), authorization)
        self._runner = web.AppRunner(self._api.app(), access_log=None, handler_cancellation=True)
        await self._runner.setup()
        site = web.TCPSite(self._runner, HOST, 0)
        await site.start()
        address: tuple[str, int] = self._runner.addresses[0]
        variables = function.variables(self.surroundings) | self._credential_variables(address[1])
        variables["AWS_LAMBDA_RUNTIME_API"] = f"{HOST}:{address[1]}"
        await self._run(variables)
        async with asyncio.timeout(START_SECONDS):
            await self._api.started
        if self.function.snap_start and not self._is_restored(self._api):
            raise FunctionError("Runtime.SnapStart", "the runtime did not wait to be restored")

    def _is_restored(self, api: RuntimeApi) -> bool:
        return api.restored

    async def end(self) -> None:
        """End the process for good, with the calls that run in it."""
        self._ended = True
        if self._api is not None:
            self._api.fail(FunctionError("Runtime.ExitError", "the environment has ended"))
        await self.close()

    async def close(self) -> None:
        """End the process; the next call starts another."""
        if self._watch is not None:
            self._watch.cancel()
        await asyncio.to_thread(self._resources.close)
        if self._runner is not None:
            await self._runner.cleanup()
        self._api = self._runner = self._watch = None

    async def _run(self, variables: Mapping[str, str]) -> None:
        bundle = self.function.bundle
        search = os.pathsep.join([*bundle.python_path, str(self.surroundings.client)])
        command = ["python", "-m", "awslambdaric", variables["_HANDLER"]]
        self._spawn(command, {**variables, "PYTHONPATH": search})

    def _spawn(self, command: list[str], variables: Mapping[str, str]) -> None:
        """Run `command` in the bundle's folder with `variables` and nothing else in its environment."""
        assignments = [f"{name}={value}" for name, value in variables.items()]
        line = [
            "/usr/bin/env",
            "-i",
            *assignments,
            "/bin/sh",
            "-c",
            _IN_FOLDER,
            str(self.function.bundle.code),
            *command,
        ]
        log = self.surroundings.logs / f"{self.function.resource.name}.log"
        process = self._resources.enter_context(running(line, log))

        async def watch() -> None:
            while process.poll() is None:  # noqa: ASYNC110 a process of subprocess has no event
                await asyncio.sleep(_WATCH_SECONDS)
            error = FunctionError("Runtime.ExitError", f"Runtime exited with {process.returncode}; its log: {log}")
            self._running_api().fail(error)

        self._watch = asyncio.create_task(watch())

    def _running_api(self) -> RuntimeApi:
        if self._api is None:
            raise FunctionError("Runtime.ExitError", "the runtime does not run")
        return self._api

    def _credentials(self) -> dict[str, str]:
        return {
            "AccessKeyId": self.function.access_key,
            "SecretAccessKey": "rehearsal",
            "Token": self.function.principal.session_token,
            "Expiration": "2099-01-01T00:00:00Z",
        }

    def _credential_variables(self, port: int) -> dict[str, str]:
        """A function with snapshots gets its credentials from an endpoint, because variables are in the snapshot."""
        if self.function.snap_start:
            return {
                "AWS_CONTAINER_AUTHORIZATION_TOKEN": self.function.principal.session_token,
                "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"http://{HOST}:{port}{CREDENTIALS_PATH}",
            }
        return {
            "AWS_ACCESS_KEY_ID": self.function.access_key,
            "AWS_SECRET_ACCESS_KEY": "rehearsal",
            "AWS_SESSION_TOKEN": self.function.principal.session_token,
        }


def lay_out_tools(folder: Path) -> Path:
    """A folder with a `python` that has no packages of this machine."""
    folder.mkdir(parents=True, exist_ok=True)
    python = folder / "python"
    python.write_text(f'#!/bin/sh\nexec "{Path(sys.executable).resolve()}" -S -s "$@"\n')
    python.chmod(0o755)
    return folder
