"""A proxy in front of DynamoDB that can throttle, fail, lose, stall or delay each step of a call."""

import asyncio
import json
import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import aiohttp
from aiohttp import web

from tests.support.inference.upstream import until
from tests.support.threads import background_loop

FOREVER = 10**6


class Step(StrEnum):
    """The requests of a billed call, by what they are for."""

    ADMIT = "admit"
    CHARGE = "charge an admitted key"
    GIVE_BACK = "give back"
    HOLD = "hold"
    ENTRY = "entry"
    APPLY = "apply"
    RELEASE = "release"
    BEGIN = "begin"
    COMPLETE = "complete"
    FREE = "free"
    READ_RESPONSE = "read a response"
    KEEP_RESPONSE = "keep a response"
    KEEP_ITEM = "keep the pointer to an item"
    KEEP_IMAGE = "keep the record of an image"
    OTHER = "other"


class Fault(StrEnum):
    """What happens to a request instead of what should."""

    THROTTLE = "throttle"
    FAIL = "fail"
    REFUSE = "refuse"
    LOSE_REQUEST = "lose the request"
    LOSE_ANSWER = "lose the answer"
    STALL = "stall"
    """Nothing is done until the proxy is healed; then the request goes through, however late."""
    WITHHOLD = "withhold the answer"
    """It is done at once, and the answer comes when the proxy is healed."""


@dataclass(slots=True)
class PlannedFault:
    """A fault for the next `left` requests of `step` that speak of `about`."""

    fault: Fault
    step: Step
    about: str
    left: int
    met: threading.Event = field(default_factory=threading.Event)
    healed: threading.Event = field(default_factory=threading.Event)


@dataclass(slots=True)
class DynamoProxy:
    """Steps pass through to `endpoint` unless a fault is planned for them."""

    endpoint: str
    port: int = 0
    seen: list[Step] = field(default_factory=list[Step])
    _planned: list[PlannedFault] = field(default_factory=list[PlannedFault])
    _open: int = 0
    _session: aiohttp.ClientSession | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def plan(self, fault: Fault, step: Step, *, about: str = "", times: int = FOREVER) -> PlannedFault:
        """Let `fault` happen to the next `times` requests of `step` in whose text `about` stands."""
        self._planned.append(PlannedFault(fault, step, about, times))
        return self._planned[-1]

    def release(self, about: str = "") -> None:
        """Forget the planned faults about `about`, all by default, and let what stalled go on."""
        for planned in [planned for planned in self._planned if about in planned.about]:
            self._planned.remove(planned)
            planned.healed.set()

    async def heal(self) -> None:
        """`release` all, and wait until everything that stalled has gone through."""
        self.release()
        await self.idle()

    async def idle(self, but: int = 0) -> None:
        """Wait until no more than `but` requests are in the proxy."""
        await until(lambda: self._open <= but)

    @contextmanager
    def serving(self) -> Generator["DynamoProxy"]:
        """Serve on a free port of loopback until the block ends."""
        with background_loop() as run:
            runner = run(self._start())
            try:
                yield self
            finally:
                self.release()
                run(self._stop(runner))

    async def _start(self) -> web.AppRunner:
        self._session = aiohttp.ClientSession()
        app = web.Application(client_max_size=2**26)
        app.router.add_post("/", self._answer)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.port = runner.addresses[0][1]
        return runner

    async def _stop(self, runner: web.AppRunner) -> None:
        assert self._session is not None
        await runner.cleanup()
        await self._session.close()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        self._open += 1
        try:
            return await self._served(request, await request.read())
        finally:
            self._open -= 1

    async def _served(self, request: web.Request, body: bytes) -> web.StreamResponse:
        step = step_of(request.headers["X-Amz-Target"].rpartition(".")[2], json.loads(body))
        planned = self._next(step, body.decode())
        self.seen.append(step)
        if planned is None:
            return await self._forward(request, body)
        if planned.fault in _REFUSALS:
            status, code = _REFUSALS[planned.fault]
            return web.json_response({"__type": f"com.amazonaws.dynamodb.v20120810#{code}"}, status=status)
        if planned.fault is Fault.STALL:
            await _set(planned.healed)
        if planned.fault is Fault.LOSE_REQUEST:
            return _lost(request)
        response = await self._forward(request, body)
        if planned.fault is Fault.WITHHOLD:
            await _set(planned.healed)
        return _lost(request) if planned.fault is Fault.LOSE_ANSWER else response

    def _next(self, step: Step, body: str) -> PlannedFault | None:
        for planned in self._planned:
            if planned.step is step and planned.left and planned.about in body:
                planned.left -= 1
                planned.met.set()
                return planned
        return None

    async def _forward(self, request: web.Request, body: bytes) -> web.Response:
        assert self._session is not None
        kept = {name: request.headers[name] for name in ("Content-Type", "X-Amz-Target", "X-Amz-Date", "Authorization")}
        async with self._session.post(self.endpoint, data=body, headers=kept) as answer:
            return web.Response(body=await answer.read(), status=answer.status, content_type=answer.content_type)


_REFUSALS = {
    Fault.THROTTLE: (400, "ProvisionedThroughputExceededException"),
    Fault.FAIL: (500, "InternalServerError"),
    Fault.REFUSE: (400, "AccessDeniedException"),
}


def step_of(operation: str, body: dict[str, Any]) -> Step:
    """Which step of a call a request is."""
    update: str = body.get("UpdateExpression", "")
    if body.get("TableName", "").endswith("-responses"):
        is_pointer = body.get("Item", {}).get("id", {}).get("S", "").startswith("item#")
        return Step.KEEP_ITEM if is_pointer else _OF_RESPONSES.get(operation, Step.OTHER)
    if operation == "PutItem" and (step := _PUTS.get(body["TableName"].rpartition("-")[2])):
        return step
    if ":change" in update:
        is_charge = body["ExpressionAttributeValues"][":change"]["N"].startswith("-")
        return Step.CHARGE if is_charge else Step.GIVE_BACK
    for step, (table, word) in _UPDATES.items():
        if body.get("TableName", "").endswith(table) and word in update:
            return step
    return Step.OTHER


_PUTS = {"ledger": Step.ENTRY, "images": Step.KEEP_IMAGE}
_OF_RESPONSES = {"GetItem": Step.READ_RESPONSE, "PutItem": Step.KEEP_RESPONSE}
_UPDATES = {
    Step.ADMIT: ("-keys", ":now"),
    Step.HOLD: ("-wallets", "h.#id = :token"),
    Step.RELEASE: ("-wallets", "#q = #q + :one REMOVE"),
    Step.APPLY: ("-wallets", "REMOVE h.#id"),
    Step.BEGIN: ("-idempotency", "if_not_exists(op"),
    Step.COMPLETE: ("-idempotency", "st = :done"),
    Step.FREE: ("-idempotency", "st = :free REMOVE"),
}


async def _set(event: threading.Event) -> None:
    while not event.is_set():  # noqa: ASYNC110  the event is a thread's
        await asyncio.sleep(0.005)


def _lost(request: web.Request) -> web.Response:
    if request.transport is not None:  # else the client has died meanwhile
        request.transport.abort()  # pyright: ignore[reportAttributeAccessIssue]  sockets' transports can
    return web.Response()
