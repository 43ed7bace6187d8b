"""From Meta to the queue: callbacks of the stand-in, the function that stores them, the outbox's stream and the bus."""

import asyncio
import json
from typing import Any

from starlette.types import ASGIApp

from bench.ours import PEPPER, REGION
from bench.whatsapp.moments import MovedClock
from bench.whatsapp.queueing import DisorderlyQueue
from callmissed.aws.attributes import from_item
from callmissed.aws.database import Database
from callmissed.aws.dynamodb import DynamoDB
from callmissed.platform.queues.sources import CALLBACK_SOURCE
from callmissed.platform.tables import OUTBOX, physical_name
from callmissed.settings import CoreSettings
from callmissed.web.request_context import RequestContextMiddleware
from functions.webhooks.handlers.callbacks_api import create_app
from local.fakes.graph.callbacks import SignedCallback, signed
from tests.support.lambda_events import answer_event
from tests.support.webhooks.callbacks import WHATSAPP, proxy_event

_PATIENCE_SECONDS = 20.0
_STORED = 200
_CONCURRENT = 8


class CallbackRelay:
    """Posts callbacks to the function `callbacks`, again until it answers 200, and queues what it has stored.

    The function's requests go through `faulty`; the stream reads the tables of `database`.
    """

    def __init__(self, database: Database, faulty: str, queue: DisorderlyQueue, clock: MovedClock) -> None:
        self.posts = 0
        self._database = database
        self._queue = queue
        self._client = _OutboxWriter(faulty, physical_name(database.stage, OUTBOX))
        settings = CoreSettings(stage=database.stage, sealing_keys=PEPPER)
        app = create_app(settings, Database(self._client, database.stage), clock)
        self._app: ASGIApp = RequestContextMiddleware(app)
        self._queued: set[str] = set()
        self._posting = asyncio.Semaphore(_CONCURRENT)
        self._relaying = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def is_idle(self) -> bool:
        """Whether nothing is under way."""
        return not self._tasks

    def put(self, callback: SignedCallback) -> None:
        """Bring a callback."""
        task = asyncio.ensure_future(self._bring(callback))
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    async def idle(self) -> None:
        """Wait until nothing is under way."""
        while self._tasks:
            await asyncio.gather(*self._tasks)

    async def close(self) -> None:
        """Drop the connections."""
        await self._client.close()

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        task.result()

    async def _bring(self, callback: SignedCallback) -> None:
        self.posts += 1
        event = proxy_event("POST", WHATSAPP, callback.body, callback.headers)
        async with self._posting:
            status = (await answer_event(self._app, event))["statusCode"]
        async with self._relaying:
            await self._relay()
        if status != _STORED:
            for update in callback.updates:  # Meta groups the updates differently when it repeats a callback
                self.put(signed([update]))

    async def _relay(self) -> None:
        """Queue the callbacks that are in the outbox by now."""
        for id in sorted(self._client.written - self._queued):
            item = await self._database.get(OUTBOX, {"id": id})
            if item:
                self._queued.add(id)
                detail = {"id": id, "tenant": item["tenant"]}
                self._queue.put({"source": item["source"], "detail-type": item["type"], "detail": detail})


class _OutboxWriter(DynamoDB):
    """A client that remembers the callbacks that it may have written, as the stream has them."""

    def __init__(self, endpoint: str, outbox: str) -> None:
        super().__init__(REGION, endpoint, timeout_seconds=_PATIENCE_SECONDS)
        self.written: set[str] = set()
        self._outbox = outbox

    async def send(self, operation: str, payload: bytes) -> dict[str, Any]:
        """As `DynamoDB.send`."""
        request = json.loads(payload)
        if request.get("TableName") == self._outbox and "Item" in request:
            item = from_item(request["Item"])
            self.written |= {item["id"]} if item["source"] == CALLBACK_SOURCE else set()
        return await super().send(operation, payload)
