"""Models that OpenRouter lists and the catalog does not: priced from its list, which is kept.

The first call for such a model in a process waits for the list: another process may have left a copy in DynamoDB, else
OpenRouter is asked. After an hour the list is fetched again in the background, and while that fails the last good copy
is used, for a day at most: prices that nobody has seen for longer are not known.
"""

import asyncio
import base64
import json
import zlib
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any, cast

from callmissed.aws.database import Database
from callmissed.aws.dynamodb import DynamoError
from callmissed.catalog.model import Catalog, routing_suffix
from callmissed.clock import SECOND, Clock, Micros
from callmissed.errors import invalid_request
from callmissed.observability import get_logger
from callmissed.platform.tables import TENANTS
from callmissed_ai.routing.openrouter_list import Listed, is_listable, model_of, read_list, read_rows, stored_rows
from callmissed_ai.transports.base import Transport, UpstreamCall, UpstreamUnreachable

FRESH_SECONDS = 3_600
MAX_AGE_SECONDS = 24 * 3_600
RETRY_SECONDS = 60
"""After a failure nobody asks again for so long."""

_KEY = {"tenant": "#openrouter", "item": "models"}
"""No tenant has this id."""

_FETCH_SECONDS = 10.0
_MAX_LIST_BYTES = 16 * 1024 * 1024
_MAX_STORED_BYTES = 300_000
_logger = get_logger("inference")


class ListedModels:
    """OpenRouter's list as this process knows it. `open_transport` returns None where OpenRouter is not configured."""

    def __init__(self, catalog: Catalog, open_transport: Callable[[], Transport | None], clock: Clock) -> None:
        self.database: Database | None = None
        self._catalog = catalog
        self._open_transport = open_transport
        self._clock = clock
        self._models: Mapping[str, Listed | None] = {}
        self._as_of = 0
        self._retry_at = 0
        self._loading: asyncio.Task[None] | None = None

    async def catalog_for(self, body: Mapping[str, Any]) -> Catalog:
        """The catalog, with those models that the request `body` names and OpenRouter alone lists.

        Raises ApiError 400 for a model whose price is not known.
        """
        unknown = set(self._unknown(body))
        if not unknown or self._open_transport() is None:
            return self._catalog
        await self._refreshed()
        found = {model_id: self._models[model_id] for model_id in unknown if model_id in self._known()}
        for model_id, listed in found.items():
            if listed is None:
                raise invalid_request(f"The model '{model_id}' has no price that can be billed by tokens.", "model")
        models = {model_id: model_of(listed) for model_id, listed in found.items() if listed}
        return self._catalog.with_models(models) if models else self._catalog

    async def close(self) -> None:
        """Stop a refresh that is running."""
        loading, self._loading = self._loading, None
        if loading:
            loading.cancel()
            await asyncio.wait([loading])

    def _unknown(self, body: Mapping[str, Any]) -> Iterator[str]:
        others: Any = body.get("models")
        for name in (body.get("model"), *(cast("list[Any]", others)[:8] if isinstance(others, list) else ())):
            if isinstance(name, str) and self._catalog.find(name) is None:
                model_id = name.rpartition(":")[0] if routing_suffix(name) else name
                if is_listable(model_id):
                    yield model_id

    def _known(self) -> Mapping[str, Listed | None]:
        return self._models if self._age() <= MAX_AGE_SECONDS else {}

    def _age(self) -> float:
        return (self._clock() - self._as_of) / SECOND

    async def _refreshed(self) -> None:
        """Start a refresh if one is due, and wait for it where there is no list that can be used meanwhile."""
        if self._age() > FRESH_SECONDS and self._clock() >= self._retry_at and not self._is_loading():
            self._loading = asyncio.ensure_future(self._load())
        if not self._known() and self._loading:
            await asyncio.wait([self._loading])

    def _is_loading(self) -> bool:
        return self._loading is not None and not self._loading.done()

    async def _load(self) -> None:
        self._retry_at = self._clock() + RETRY_SECONDS * SECOND
        await self._guarded(self._read_shared)
        if self._age() <= FRESH_SECONDS:
            return
        if await self._guarded(self._fetch):
            await self._guarded(self._write_shared)

    async def _guarded(self, step: Callable[[], Awaitable[None]]) -> bool:
        """Whether `step` succeeded in time; nothing but the list's age depends on it."""
        try:
            async with asyncio.timeout(_FETCH_SECONDS):
                await step()
        except (UpstreamUnreachable, DynamoError, TimeoutError, ValueError, RecursionError) as error:
            _logger.warning("OpenRouter's list was not refreshed", extra={"why": type(error).__name__})
            return False
        return True

    async def _fetch(self) -> None:
        transport = self._open_transport()
        if transport is None:
            return
        asked = self._clock()  # the process may be frozen before the list is whole
        reply = await transport.send(UpstreamCall("/models", b"", method="GET"), _FETCH_SECONDS)
        try:
            if reply.status != 200:
                raise UpstreamUnreachable(f"status {reply.status}")
            body = bytearray()
            async for chunk in reply.chunks():
                body += chunk
                if len(body) > _MAX_LIST_BYTES:
                    raise ValueError("too long")
        finally:
            await reply.close()
        self._take(await asyncio.to_thread(lambda: read_list(json.loads(body))), asked)

    async def _read_shared(self) -> None:
        if self.database is None:
            return
        item = await self.database.get(TENANTS, _KEY, consistent=False)
        as_of, packed = item.get("as_of"), item.get("models")
        if isinstance(as_of, int) and isinstance(packed, str) and self._as_of < as_of <= self._clock():
            self._take(await asyncio.to_thread(_unpacked, packed), Micros(as_of))

    async def _write_shared(self) -> None:
        if self.database is None:
            return
        packed = await asyncio.to_thread(_packed, self._models)
        if len(packed) <= _MAX_STORED_BYTES:
            await self.database.put(TENANTS, {**_KEY, "as_of": self._as_of, "models": packed})

    def _take(self, models: Mapping[str, Listed | None], as_of: Micros) -> None:
        if not any(models.values()):
            raise ValueError("a list without a price")
        self._models, self._as_of = models, as_of


def _packed(models: Mapping[str, Listed | None]) -> str:
    return base64.b64encode(zlib.compress(json.dumps(stored_rows(models.values())).encode())).decode()


def _unpacked(packed: str) -> Mapping[str, Listed]:
    try:
        return read_rows(json.loads(zlib.decompress(base64.b64decode(packed))))
    except zlib.error as error:
        raise ValueError("not packed") from error
