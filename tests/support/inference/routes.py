"""A router over scripted transports, with a clock that a test moves."""

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from callmissed.catalog.loader import load_catalog
from callmissed.catalog.model import Catalog, ProviderSettings
from callmissed.clock import SECOND, Micros
from callmissed_ai.routing import router as routing
from callmissed_ai.routing.attempt import UpstreamAnswer
from callmissed_ai.routing.health import RouteHealth
from callmissed_ai.routing.router import Router
from callmissed_ai.services.chat import parse
from callmissed_ai.transports.base import UpstreamCall, UpstreamUnreachable
from tests.support.inference.behaviours import completion

NOON = 1_795_780_800 * SECOND
NAMES = ("first", "second", "third", "openrouter")
_PROVIDER = '[providers.{0}]\nbase_url = "http://127.0.0.1:1/v1"\n'
_MODEL = """
[[models]]
id = "{0}"
provider = "{1}"
upstream_id = "{1}-{0}"
input = 1
output = 1
context_window = 128000
"""
ROUTES: Mapping[str, tuple[str, ...]] = {
    "one": ("first",),
    "two": ("first", "second"),
    "other": ("third",),
    "wide": ("openrouter",),
    "both": ("openrouter", "second"),
}
"""Models and the providers of their routes."""


def routes_catalog() -> Catalog:
    """The catalog of `ROUTES`."""
    models = [_MODEL.format(model, name) for model, names in ROUTES.items() for name in names]
    return load_catalog("\n".join([*map(_PROVIDER.format, NAMES), *models]))


class FakeClock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> Micros:
        return Micros(self.now)

    def passes(self, seconds: float) -> None:
        self.now += int(seconds * SECOND)


@dataclass
class Answer:
    """An upstream's answer; implements `UpstreamReply`. Status 0 is none at all."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    takes: float = 0
    says: str = ""

    async def chunks(self) -> AsyncIterator[bytes]:
        yield json.dumps(completion() if self.status == 200 else {"error": {"message": self.says}}).encode()

    async def close(self) -> None:
        """Nothing is open."""


@dataclass
class ScriptedRoutes:
    """A router whose upstreams answer as a test says: what is queued for a provider, then `otherwise`."""

    router: Router
    catalog: Catalog
    clock: FakeClock
    asked: list[str]
    slept: list[float]
    queued: Mapping[str, deque[Answer]]
    otherwise: dict[str, Answer]
    waiting: Callable[[], Awaitable[None]] | None = None

    async def call(self, model: str = "two", **fields: Any) -> UpstreamAnswer:
        """A call of `model`. Raises ApiError."""
        body = {"model": model, "messages": [{"role": "user", "content": "x"}], **fields}
        work = self.router.prepared(parse("openai_chat", self.catalog, body, 100))
        return await self.router.answer(work, sandboxed=False)

    def will(self, provider: str, *answers: Answer) -> None:
        self.queued[provider].extend(answers)

    def forget(self) -> list[str]:
        """The upstream models that were asked since."""
        asked, self.asked[:] = list(self.asked), []
        return asked

    async def answer(self, call: UpstreamCall, provider: str) -> Answer:
        self.asked.append(call.json["model"])
        if self.waiting:
            await self.waiting()
        answer = self.queued[provider].popleft() if self.queued[provider] else self.otherwise[provider]
        self.clock.passes(answer.takes)
        if not answer.status:
            raise UpstreamUnreachable("nobody there")
        return answer


@dataclass
class _Transport:
    provider: str
    routes: list[ScriptedRoutes]

    async def send(self, call: UpstreamCall, deadline_seconds: float) -> Answer:
        return await self.routes[0].answer(call, self.provider)

    async def close(self) -> None:
        """Nothing is open."""


def scripted_routes(monkeypatch: pytest.MonkeyPatch, health: RouteHealth | None = None) -> ScriptedRoutes:
    """A router over `ROUTES`; `health` has its clock from elsewhere."""
    clock, catalog = FakeClock(), routes_catalog()
    made: list[ScriptedRoutes] = []
    slept: list[float] = []

    def opened(provider: ProviderSettings, *_: object) -> _Transport:
        return _Transport(provider.name, made)

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        clock.passes(seconds)
        await asyncio.sleep(0)

    def no_sandbox() -> _Transport:
        raise AssertionError("no call is the sandbox's")

    monkeypatch.setattr(routing, "open_transport", opened)
    router = Router(catalog, {}, no_sandbox, sleep, health=health or RouteHealth(clock))
    queued: dict[str, deque[Answer]] = {name: deque() for name in NAMES}
    made.append(ScriptedRoutes(router, catalog, clock, [], slept, queued, {name: Answer() for name in NAMES}))
    return made[0]
