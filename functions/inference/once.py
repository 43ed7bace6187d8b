"""Blocking calls with an Idempotency-Key: one run, one charge, as many answers as are asked for.

The order makes it so (docs/decisions/0008-idempotency-and-billed-calls.md): lock the key, hold, ask upstream, store the
answer under the condition that the lock is still ours, and only then settle.
"""

import asyncio

from starlette.requests import Request
from starlette.responses import Response

from callmissed.idempotency.requests import HEADER, checked_key, fingerprint, keyed_request
from callmissed.idempotency.store import SKEW_SECONDS, Replay
from callmissed.platform.routes import STREAM_TIMEOUT_SECONDS
from callmissed.web.idempotency import replayed
from functions.inference.gateway import Gateway
from functions.inference.settlement import BilledCall

LOCK_SECONDS = STREAM_TIMEOUT_SECONDS + SKEW_SECONDS + 10
"""Lambda ends the function after 900 s, and a call that lives elsewhere ends itself before that.

A blocking call may well run that long: API Gateway gives up on it after five minutes of silence, the work goes on, and
the caller's retry gets the reply.
"""

MEDIA_TYPE = "application/json"


class Once:
    """One keyed request on its way."""

    def __init__(self, gateway: Gateway, key: str, fingerprint: str) -> None:
        self._gateway = gateway
        self._key = key
        self._fingerprint = fingerprint

    @classmethod
    def of(cls, gateway: Gateway, request: Request, body: bytes) -> "Once | None":
        """The request, if it has a key. Raises ApiError 400 for one that can't be a key."""
        key = checked_key(request.headers.getlist(HEADER))
        if key is None:
            return None
        path, query = request.scope["path"], request.scope["query_string"]
        return cls(gateway, key, fingerprint(request.method, path, query, body))

    async def begin(self, call: BilledCall) -> Response | None:
        """Lock the key for `call`, or answer as before and give the key's budget its charge back.

        Raises ApiError 409, 503.
        """
        gateway = self._gateway
        request = keyed_request(call.admitted.tenant, call.admitted.mode, self._key, self._fingerprint)
        begun = await gateway.idempotency.begin(request, gateway.clock(), LOCK_SECONDS, call.id)
        if isinstance(begun, Replay):
            await gateway.cashier.give_back(call.admitted, 0)
            answer = replayed(begun)
            answer.headers["X-Generation-Id"] = f"gen_{begun.call_id}"
            return answer
        call.run = begun
        return None

    async def complete(self, call: BilledCall, body: bytes) -> None:
        """Store the reply. Raises ApiError 409 or 503: the key may run again then, and nothing may be charged."""
        if call.run is None:
            return
        try:
            await self._gateway.idempotency.complete(call.run, 200, MEDIA_TYPE, body)
        except BaseException:
            await self._gateway.idempotency.release(call.run)
            raise

    async def release(self, call: BilledCall) -> None:
        """Let the key run again after a failure, unless the reply is being stored or is stored."""
        if call.run and not call.settling:
            await asyncio.shield(asyncio.ensure_future(self._gateway.idempotency.release(call.run)))
