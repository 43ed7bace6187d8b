"""Processes that serve keyed requests, each with a clock of its own, and that die as processes do: at once, for good.

A process serves one request at a time, through the real applications: a blocking chat call of the inference gateway, or
a route below `/api/v1` behind the middleware. The work itself waits for the test to say how it ends.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from functools import cache
from typing import Any, NamedTuple

from fastapi import APIRouter
from starlette.types import ASGIApp, Message

from callmissed.aws.database import Database
from callmissed.catalog.loader import load_catalog
from callmissed.catalog.model import Catalog
from callmissed.clock import Clock
from callmissed.errors import service_unavailable
from callmissed.idempotency.store import IdempotencyStore
from callmissed.settings import CoreSettings
from callmissed.web.app import create_api
from callmissed.web.idempotency import IdempotencyMiddleware, OperationOf
from callmissed.web.request_context import RequestContextMiddleware
from callmissed_ai.calls.container import create_container
from callmissed_ai.routing.attempt import UpstreamAnswer
from callmissed_ai.routing.health import RouteHealth
from callmissed_ai.work import Work
from functions.inference.app import create_app
from local.aws.tables import StageTables
from tests.support.faults import Crash, FaultyDynamoDB
from tests.support.idempotency import MemoryAnswers
from tests.support.inference.behaviours import completion

CHAT, THINGS = "/v1/chat/completions", "/api/v1/things"
PEPPER = b"a pepper of some length"


@cache
def built_in_catalog() -> Catalog:
    """The catalog of every process, which only reads it."""
    return load_catalog()


class End(Enum):
    """How the work of a request ends. The effect is what a route below `/api/v1` does once, by its operation's id."""

    SUCCEEDS = auto()
    SUCCEEDS_AT_LENGTH = auto()
    SUCCEEDS_ENDLESSLY = auto()
    FAILS = auto()
    FAILS_AFTER_EFFECT = auto()
    BREAKS_AFTER_EFFECT = auto()
    DIES = auto()
    DIES_AFTER_EFFECT = auto()


SIZES = {End.SUCCEEDS: 10, End.SUCCEEDS_AT_LENGTH: 150_000, End.SUCCEEDS_ENDLESSLY: 450_000}
"""Bytes of an answer: in the record, over what the record keeps, over what an item can be."""

_WITH_EFFECT = {*SIZES, End.FAILS_AFTER_EFFECT, End.BREAKS_AFTER_EFFECT, End.DIES_AFTER_EFFECT}


@dataclass
class WorkLog:
    """What the works of all processes did: under which ids a request had its effect, and how many replies."""

    effects: dict[tuple[str, bytes], set[str]] = field(default_factory=dict[tuple[str, bytes], set[str]])
    runs: int = 0

    def text(self, size: int) -> str:
        """A reply that no other run makes."""
        self.runs += 1
        return f"run {self.runs} ".ljust(size, "x")


@dataclass(frozen=True)
class ReceivedAnswer:
    """An answer as its caller got it."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def code(self) -> str:
        """The error's code, empty for a success."""
        return "" if self.status < 300 else json.loads(self.body)["error"]["code"]

    @property
    def replayed(self) -> bool:
        return "idempotent-replayed" in self.headers


class PendingRequest(NamedTuple):
    """A request that a process serves since `at` (microseconds of the true time)."""

    path: str
    key: str
    body: bytes
    at: int


class CrashingDynamoDB(FaultyDynamoDB):
    """A client whose process sends nothing more once it has died."""

    dead = False

    async def send(self, operation: str, payload: bytes) -> dict[str, Any]:
        if self.dead:
            raise Crash("dead")
        try:
            return await super().send(operation, payload)
        except Crash:
            self.dead = True
            raise


class Process:
    """One process. `read_clock` is what its clock shows; `late` are the requests under way of all processes."""

    def __init__(
        self,
        store: StageTables,
        stored_answers: MemoryAnswers,
        work_log: WorkLog,
        late: list[tuple[str, bytes]],
        read_clock: Clock,
    ) -> None:
        self.dynamodb = CrashingDynamoDB(store.endpoint)
        self.dynamodb.late = late
        self.work_log = work_log
        self.request: PendingRequest | None = None
        self._clock = read_clock
        self._records = IdempotencyStore(Database(self.dynamodb, store.stage), stored_answers)
        self._apps = {CHAT: self._chat(store), THINGS: self._things()}
        self._task: asyncio.Task[ReceivedAnswer] | None = None
        self._gate: asyncio.Future[End] | None = None

    async def start(self, request: PendingRequest, headers: dict[str, str]) -> ReceivedAnswer | Crash | None:
        """Serve a request up to its work; None when the work waits, else what became of it."""
        loop = asyncio.get_running_loop()
        self.request, self._gate, self._reached = request, loop.create_future(), loop.create_future()
        self._task = asyncio.ensure_future(self._serve(request, headers))
        await asyncio.wait({self._task, self._reached}, return_when=asyncio.FIRST_COMPLETED)
        return await self._outcome() if self._task.done() else None

    async def finish(self, end: End) -> ReceivedAnswer | Crash:
        """What becomes of the request when its work ends so."""
        assert self._gate
        self._gate.set_result(end)
        return await self._outcome()

    async def _outcome(self) -> ReceivedAnswer | Crash:
        assert self._task
        self.request = None
        try:
            return await self._task
        except Crash as crash:
            return crash

    async def _serve(self, request: PendingRequest, headers: dict[str, str]) -> ReceivedAnswer:
        parts: list[Message] = []

        async def receive() -> Message:
            return {"type": "http.request", "body": request.body, "more_body": False}

        async def send(message: Message) -> None:
            parts.append(message)

        headers = headers | {"idempotency-key": request.key}
        scope = {
            "type": "http",
            "method": "POST",
            "path": request.path,
            "query_string": b"",
            "headers": [
                (name.encode(), value.encode()) for name, value in (headers | {"idempotency-key": request.key}).items()
            ],
            "aws.event": {
                "requestContext": {"authorizer": {"tenant": headers["tenant"], "key_id": "", "mode": "live"}}
            },
        }
        await self._apps[request.path](scope, receive, send)
        answered = {name.decode().lower(): value.decode() for name, value in parts[0]["headers"]}
        return ReceivedAnswer(parts[0]["status"], answered, b"".join(part.get("body", b"") for part in parts[1:]))

    async def _work(self, operation: str | None = None) -> str:
        """Wait for the end of the work, and apply it. Raises what that end is."""
        assert self._gate and self.request
        request = self.request
        if not self._reached.done():
            self._reached.set_result(None)
        end = await self._gate
        if operation and end in _WITH_EFFECT:
            self.work_log.effects.setdefault((request.key, request.body), set()).add(operation)
        if end in (End.DIES, End.DIES_AFTER_EFFECT):
            self.dynamodb.dead = True
            raise Crash(end)
        if end is End.BREAKS_AFTER_EFFECT:
            raise RuntimeError("a defect")
        if end not in SIZES:
            raise service_unavailable()
        return self.work_log.text(SIZES[end])

    def _things(self) -> ASGIApp:
        router = APIRouter()

        @router.post(THINGS, status_code=201)
        async def create(operation: OperationOf) -> Any:
            return {"id": operation.new_id("thg"), "said": await self._work(operation.id)}

        return RequestContextMiddleware(
            IdempotencyMiddleware(create_api("process", [router]), self._records, self._clock)
        )

    def _chat(self, store: StageTables) -> ASGIApp:
        settings = CoreSettings(
            stage=store.stage, region="us-east-1", dynamodb_endpoint=store.endpoint, peppers=PEPPER.hex()
        )
        made = create_container(settings, self._clock, self.dynamodb, built_in_catalog())
        router: Any = _Router(self, made.catalog)
        return create_app(replace(made, router=router, idempotency=self._records))

    async def reply(self) -> bytes:
        """What the upstream says at the end of the work."""
        return json.dumps(completion(await self._work())).encode()


@dataclass(frozen=True)
class _Router:
    """In the place of the gateway's providers: one that waits for its process."""

    process: Process
    catalog: Catalog
    health: RouteHealth = field(default_factory=RouteHealth)

    async def catalog_for(self, _body: Mapping[str, Any]) -> Catalog:
        return self.catalog

    def prepared(self, work: Work) -> Work:
        return work

    async def answer(self, work: Work, *, sandboxed: bool) -> UpstreamAnswer:
        model, asked = work.models[0], self.health.clock()
        meter = work.meter(model, model.routes[0])
        meter.feed(await self.process.reply())
        return UpstreamAnswer(model, model.routes[0], _Whole(), meter, b"", _nothing(), asked)


class _Whole:
    status = 200
    headers: Mapping[str, str] = {}

    async def chunks(self) -> AsyncIterator[bytes]:
        yield b""

    async def close(self) -> None:
        return


async def _nothing() -> AsyncIterator[bytes]:
    return
    yield b""
