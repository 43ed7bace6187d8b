"""Calls of functions by threads that outlive the stage, and environments that have ended."""

import asyncio
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from rehearsal.access.gate import Principal
from rehearsal.runtime.bundles import FunctionBundle
from rehearsal.runtime.environments import DeployedFunction, ExecutionEnvironment, Surroundings
from rehearsal.runtime.invocations import Invocations
from rehearsal.runtime.runtime_api import FunctionError
from rehearsal.templates.identities import Identity
from rehearsal.templates.plan import PlannedResource


class SlowEnvironment(ExecutionEnvironment):
    """Answers when it is `free`; counts its calls."""

    def __init__(self) -> None:
        self.calls = 0
        self.begun = asyncio.Event()
        self.free = asyncio.Event()

    async def invoke(self, event: Any) -> Any:
        self.calls += 1
        self.begun.set()
        await self.free.wait()
        return event


class Poller:
    """A thread that makes one call, and keeps what it got."""

    def __init__(self, invocations: Invocations) -> None:
        self.got: list[object] = []
        self._invocations = invocations
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    async def ended(self) -> list[object]:
        await asyncio.to_thread(self._thread.join, 10)
        assert not self._thread.is_alive()
        return self.got

    def _run(self) -> None:
        try:
            self.got.append(self._invocations.invoke_and_wait("relay", {"n": 1}))
        except BaseException as error:
            self.got.append(type(error))


async def test_call_returns_the_answer() -> None:
    environment = SlowEnvironment()
    environment.free.set()

    poller = Poller(Invocations({"relay": environment}))

    assert await poller.ended() == [{"n": 1}]


async def test_call_that_runs_when_the_stage_ends_ends_its_thread(caplog: pytest.LogCaptureFixture) -> None:
    environment = SlowEnvironment()
    invocations = Invocations({"relay": environment})
    poller = Poller(invocations)
    await environment.begun.wait()

    await invocations.stop()

    assert await poller.ended() == [SystemExit]
    assert caplog.records == []


async def test_call_after_the_end_of_the_stage_starts_no_environment() -> None:
    environment = SlowEnvironment()
    invocations = Invocations({"relay": environment})
    await invocations.stop()

    assert await Poller(invocations).ended() == [SystemExit]
    assert environment.calls == 0


def test_call_after_the_end_of_the_loop_ends_its_thread_silently() -> None:
    async def stage() -> Invocations:
        invocations = Invocations({"relay": SlowEnvironment()})
        await invocations.stop()
        return invocations

    poller = Poller(asyncio.run(stage()))

    assert asyncio.run(poller.ended()) == [SystemExit]


async def test_environment_that_has_ended_starts_no_more(tmp_path: Path) -> None:
    resource = PlannedResource(
        "stack", "Relay", "AWS::Lambda::Function", {"Timeout": 5}, Identity("relay", "relay", {})
    )
    function = DeployedFunction(
        resource, FunctionBundle(tmp_path, [], web_adapter=False), "ASIA", Principal("relay", "role", "token")
    )
    environment = ExecutionEnvironment(function, Surroundings(tmp_path, tmp_path, tmp_path, "http://127.0.0.1:9", {}))
    await environment.end()

    with pytest.raises(FunctionError, match="ended"):
        await environment.invoke({})

    assert os.listdir(tmp_path) == [], "no log of a process"  # noqa: PTH208
