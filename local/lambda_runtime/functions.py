"""The declared functions that have a handler, each in an execution environment of its own, which is a thread.

Handlers keep an event loop and clients for it (`callmissed.aws.runtime`), so each function has one thread, and is never
called while it is running. A function that works for minutes has several threads, which share one loop.
"""

import asyncio
import json
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from queue import SimpleQueue
from typing import Any, Protocol, cast

from callmissed.aws.runtime import share_loop
from callmissed.ids import new_id
from callmissed.platform.functions import FUNCTIONS, Function
from local.aws.account import ACCOUNT, REGION, STAGE
from local.errors import LocalStackError
from local.lambda_runtime.events import LambdaEvent

Handler = Callable[[LambdaEvent, object], Any]


@dataclass(frozen=True, slots=True)
class LambdaContext:
    """The context object of a call. `deadline` is in seconds of the monotonic clock.

    https://docs.aws.amazon.com/lambda/latest/dg/python-context.html
    """

    function_name: str
    aws_request_id: str
    memory_limit_in_mb: int
    deadline: float
    function_version: str = "$LATEST"

    @property
    def invoked_function_arn(self) -> str:
        """ARN of the function."""
        return f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{self.function_name}"

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until Lambda would end the call; here it goes on."""
        return max(0, int((self.deadline - time.monotonic()) * 1000))


class Invoker(Protocol):
    """Invokes functions by name, for callers that are threads."""

    def invoke_and_wait(self, name: str, event: LambdaEvent) -> Any:
        """Answer of function `name` to `event`. Raises what the function raises."""
        ...


class LambdaFunctions:
    """Invokes the `declared` functions that have a handler, and calls `after` after every invocation.

    A handler is imported when it is first called. Both ways to invoke raise what the handler raises, KeyError for a
    function without a handler, and TypeError for an event or answer that can't be JSON.
    """

    def __init__(
        self,
        declared: Sequence[Function] = FUNCTIONS,
        after: Callable[[], None] = lambda: None,
        at_once: Mapping[str, int] | None = None,
    ) -> None:
        """`at_once` names the functions that run more than one call at a time."""
        self._declared = [function for function in declared if function.handler]
        calls = at_once or {}
        self._environments = {
            function.name: _Environment(function, after, calls.get(function.name, 1)) for function in self._declared
        }

    def check_handlers(self) -> None:
        """Raise LocalStackError when a declared handler's module is missing."""
        unknown = [function for function in self._declared if not _exists(_module_of(function))]
        if unknown:
            missing = ", ".join(f"{function.handler} of '{function.name}'" for function in unknown)
            raise LocalStackError(
                f"Handlers that are declared in callmissed.platform.functions do not exist: {missing}"
            )

    async def invoke(self, name: str, event: LambdaEvent) -> Any:
        """Answer of function `name` to `event`, for callers on an event loop."""
        return await asyncio.wrap_future(self._environments[name].start(event))

    def invoke_and_wait(self, name: str, event: LambdaEvent) -> Any:
        """Answer of function `name` to `event`, for callers that are threads."""
        return self._environments[name].start(event).result()

    def close(self, seconds: float) -> None:
        """Accept no more calls, and wait up to `seconds` for those that run. Threads end with the process."""
        give_up = time.monotonic() + seconds
        for environment in self._environments.values():
            environment.close()
        for environment in self._environments.values():
            environment.join(max(0.0, give_up - time.monotonic()))


class _Environment:
    """The threads of one function, usually one, which start at the first call."""

    def __init__(self, function: Function, after: Callable[[], None], threads: int) -> None:
        self._function = function
        self._after = after
        self._calls: SimpleQueue[tuple[LambdaEvent, Future[Any]] | None] = SimpleQueue()
        self._threads = [threading.Thread(target=self._work, name=function.name, daemon=True) for _ in range(threads)]
        self._shared: asyncio.AbstractEventLoop | None = None
        self._starting = threading.Lock()

    def start(self, event: LambdaEvent) -> Future[Any]:
        answer: Future[Any] = Future()
        with self._starting:
            if not self._threads[0].ident:
                self._start_threads()
        self._calls.put((event, answer))
        return answer

    def close(self) -> None:
        for _ in self._threads:
            self._calls.put(None)

    def join(self, seconds: float) -> None:
        give_up = time.monotonic() + seconds
        for thread in self._threads:
            if thread.ident:
                thread.join(max(0.0, give_up - time.monotonic()))

    def _start_threads(self) -> None:
        if len(self._threads) > 1:
            self._shared = asyncio.new_event_loop()
            self._shared.set_default_executor(ThreadPoolExecutor(len(self._threads)))
            name = f"{self._function.name} loop"
            threading.Thread(target=self._shared.run_forever, name=name, daemon=True).start()
        for thread in self._threads:
            thread.start()

    def _work(self) -> None:
        if self._shared:
            share_loop(self._shared)
        while call := self._calls.get():
            event, answer = call
            # A caller that gave up before its turn has cancelled.
            if answer.set_running_or_notify_cancel():
                self._answer(event, answer)
                self._after()

    def _answer(self, event: LambdaEvent, answer: Future[Any]) -> None:
        try:
            handler = _handler(self._function)
            result = handler(json.loads(json.dumps(event)), self._context())
            answer.set_result(json.loads(json.dumps(result)))
        except Exception as error:
            answer.set_exception(error)

    def _context(self) -> LambdaContext:
        return LambdaContext(
            function_name=self._function.physical_name(STAGE),
            aws_request_id=new_id("run"),
            memory_limit_in_mb=self._function.memory_mb,
            deadline=time.monotonic() + self._function.timeout_seconds,
        )


def _handler(function: Function) -> Handler:
    module, name = _module_of(function), str(function.handler).rpartition(".")[2]
    return cast("Handler", getattr(import_module(module), name))


def _module_of(function: Function) -> str:
    return str(function.handler).rpartition(".")[0]


def _exists(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # of a package above it
        return False
