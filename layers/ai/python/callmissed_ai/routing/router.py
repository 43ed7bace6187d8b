"""Finding an upstream that answers: retries, further routes and fallback models, all before the first byte.

What an upstream says with a 4xx is the caller's to mend and ends the search; rate limits, failures and our own
missing or wrong credentials, or a model that the upstream does not have, go on to the next route.
"""

import asyncio
import json
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from callmissed.catalog.model import Catalog, Model, ProviderRoute, missing_settings, resolved
from callmissed.errors import ApiError
from callmissed.observability import count, get_logger
from callmissed_ai.dialects.openai_chat import PATH, refusal_of, refusal_of_sandbox
from callmissed_ai.services.chat import Plan
from callmissed_ai.streams.sse import fails_at_once
from callmissed_ai.transports.base import Provider, UpstreamCall, UpstreamReply, UpstreamUnreachable

SANDBOX = "sandbox"
"""The provider that plays upstream failures: it is asked once, and its 4xx reach the caller as they are."""

_logger = get_logger("inference")
_TRIES_PER_ROUTE = 2
_HEAD_SECONDS = 270.0
_SANDBOX_HEAD_SECONDS = 10.0
_SEARCH_SECONDS = 285.0
"""API Gateway cuts a response that has been silent for five minutes, and before the first byte no ping can be sent."""

_LONGEST_REFUSAL = 65_536
_CALLERS_FAULT = frozenset({400, 413, 415, 422})
_OPERATORS_FAULT = frozenset({401, 402, 403, 404})  # 404: the path and the model's name upstream are ours


@dataclass(slots=True)
class Answer:
    """An upstream that answers 200 and whose body has begun. `first` is the first piece of the body."""

    model: Model
    route: ProviderRoute
    reply: UpstreamReply
    first: bytes
    rest: AsyncIterator[bytes]

    async def chunks(self) -> AsyncIterator[bytes]:
        """The whole body."""
        yield self.first
        async for chunk in self.rest:
            yield chunk


class Upstreams:
    """The providers of one process, opened at first use, `sandbox` among them. `sleep` waits between tries."""

    def __init__(
        self,
        catalog: Catalog,
        environment: Mapping[str, str],
        sandbox: Callable[[], Provider],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._catalog = catalog
        self._environment = environment
        self._open_sandbox = sandbox
        self._sleep = sleep
        self._open: dict[str, Provider] = {}

    async def answer(self, plan: Plan, *, sandboxed: bool) -> Answer:
        """The first upstream that begins a reply. Raises ApiError 400 or 503 when none will in time."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_SEARCH_SECONDS):
                if answer := await self._search(plan, sandboxed=sandboxed):
                    return answer
        raise ApiError(
            503,
            "provider_error",
            f"No provider of '{plan.models[0].id}' can serve the call at the moment. Nothing was charged.",
            headers={"Retry-After": "5"},
        )

    async def _search(self, plan: Plan, *, sandboxed: bool) -> Answer | None:
        tried = 0
        for model, route, provider in self._candidates(plan, sandboxed=sandboxed):
            body = plan.upstream_body(model, route)
            for attempt in range(1 if route.provider == SANDBOX else _TRIES_PER_ROUTE):
                if tried:
                    await self._sleep(random.uniform(0.1, 0.25) * 2**attempt)  # noqa: S311
                tried += 1
                answer = await self._try(model, route, provider, body)
                if answer is not None:
                    return answer
        return None

    async def close(self) -> None:
        """Drop every connection pool; the next call makes new ones."""
        for provider in self._open.values():
            await provider.close()

    def _candidates(self, plan: Plan, *, sandboxed: bool) -> Iterator[tuple[Model, ProviderRoute, Provider]]:
        for model in plan.models:
            if sandboxed:
                yield model, ProviderRoute(SANDBOX, model.id), self._sandbox()
                continue
            for route in model.routes:
                provider = self._provider(route.provider)
                if provider is not None:
                    yield model, route, provider

    def _provider(self, name: str) -> Provider | None:
        if name == SANDBOX:
            return self._sandbox()
        if name not in self._open:
            settings = self._catalog.providers[name]
            if needs := missing_settings(settings, self._environment):
                _logger.error("provider has no credentials", extra={"provider": name, "needs": needs})
                return None
            self._open[name] = self._connect(name)
        return self._open[name]

    def _sandbox(self) -> Provider:
        if SANDBOX not in self._open:
            self._open[SANDBOX] = self._open_sandbox()
        return self._open[SANDBOX]

    def _connect(self, name: str) -> Provider:
        settings = resolved(self._catalog.providers[name], self._environment)
        api_key = self._environment.get(settings.api_key_env) if settings.api_key_env else None
        if settings.transport == "openai_sdk":
            from callmissed_ai.transports.openai_sdk import SdkProvider

            return SdkProvider(settings.base_url, api_key, settings.headers)
        from callmissed_ai.transports.http import BareProvider

        return BareProvider(settings.base_url, api_key, settings.headers)

    async def _try(
        self, model: Model, route: ProviderRoute, provider: Provider, body: Mapping[str, Any]
    ) -> Answer | None:
        """One try; None when the next route should be tried. Raises ApiError 400 for what the caller must mend."""
        deadline = _SANDBOX_HEAD_SECONDS if route.provider == SANDBOX else _HEAD_SECONDS
        try:
            reply = await provider.send(UpstreamCall(PATH, body, deadline))
            if reply.status == 200:
                return await _begun(model, route, reply, streamed=bool(body.get("stream")))
            refusal = await _read_refusal(reply)
        except UpstreamUnreachable as error:
            _report(route, 0, str(error))
            return None
        _report(route, reply.status, "")
        if route.provider == SANDBOX and reply.status < 500:
            raise refusal_of_sandbox(reply.status, refusal, reply.headers.get("retry-after"))
        if reply.status in _CALLERS_FAULT:
            raise refusal_of(refusal)
        return None


async def _begun(model: Model, route: ProviderRoute, reply: UpstreamReply, *, streamed: bool) -> Answer:
    """The answer once its body has begun. Raises UpstreamUnreachable when it is empty, or a stream of one error."""
    chunks = reply.chunks()
    try:
        first = await anext(chunks, b"")
        if not first or (streamed and fails_at_once(first)):
            raise UpstreamUnreachable("a stream of one error" if first else "an empty body")
    except BaseException:
        await reply.close()
        raise
    return Answer(model, route, reply, first, chunks)


async def _read_refusal(reply: UpstreamReply) -> object:
    """The `error` object of a refused request, if there is a sensible one."""
    body = bytearray()
    try:
        async for chunk in reply.chunks():
            body += chunk
            if len(body) > _LONGEST_REFUSAL:
                break
        return json.loads(body).get("error")
    except (UpstreamUnreachable, ValueError, RecursionError, AttributeError):
        return None
    finally:
        await reply.close()


def _report(route: ProviderRoute, status: int, why: str) -> None:
    level = _logger.error if status in _OPERATORS_FAULT else _logger.warning
    level("upstream did not serve", extra={"provider": route.provider, "upstream_status": status, "why": why})
    count("UpstreamFailure", provider=route.provider, status=str(status))
