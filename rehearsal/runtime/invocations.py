"""Calls of functions by threads: those that poll queues and streams."""

import asyncio
from collections.abc import Mapping
from concurrent.futures import CancelledError
from typing import Any

from local.lambda_runtime.events import LambdaEvent
from rehearsal.runtime.environments import ExecutionEnvironment


class Invocations:
    """Calls of `environments` from threads, on the loop that creates this.

    A poll can't be cancelled, so it may find work after the stage has ended. Its call ends the thread then, silently:
    it would start the function's process again, and nobody would end that.
    """

    def __init__(self, environments: Mapping[str, ExecutionEnvironment]) -> None:
        self._environments = environments
        self._loop = asyncio.get_running_loop()
        self._calls: set[asyncio.Task[Any]] = set()
        self._stopped = False

    def invoke_and_wait(self, name: str, event: LambdaEvent) -> Any:
        """The function's answer. Raises FunctionError, and SystemExit once the calls are stopped."""
        if self._stopped:
            raise SystemExit
        try:
            return asyncio.run_coroutine_threadsafe(self._call(name, event), self._loop).result()
        except CancelledError:
            raise SystemExit from None

    async def stop(self) -> None:
        """Break the calls off, and let no other begin."""
        self._stopped = True
        calls = list(self._calls)
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)

    async def _call(self, name: str, event: LambdaEvent) -> Any:
        if self._stopped:
            raise asyncio.CancelledError
        call = asyncio.current_task()
        assert call
        self._calls.add(call)
        try:
            return await self._environments[name].invoke(event)
        finally:
            self._calls.discard(call)
