"""Blocking calls with an Idempotency-Key: one run, one charge, and the same answer for every repetition.

The order of the steps ensures it (docs/decisions/0008-idempotency-and-billed-calls.md): lock the key, hold, ask
upstream, store the answer under the condition that the lock is still ours, and only then settle.
"""

import asyncio

from callmissed.clock import Micros
from callmissed.idempotency.requests import keyed_request
from callmissed.idempotency.store import SKEW_SECONDS, IdempotencyStore, Replay, Run
from callmissed.platform.routes import STREAM_TIMEOUT_SECONDS

LOCK_SECONDS = STREAM_TIMEOUT_SECONDS + SKEW_SECONDS + 10
"""Lambda ends the function after 900 s, and a call in another process ends itself before that.

A blocking call may run that long: API Gateway times out after five minutes of silence, the work goes on, and the
caller's retry gets the reply.
"""


class IdempotentCall:
    """One call with an Idempotency-Key. `fingerprint` is the SHA-256 of the request, in hex.

    The lock of `lock_seconds` outlives the process of the call.
    """

    def __init__(self, store: IdempotencyStore, key: str, fingerprint: str, lock_seconds: int = LOCK_SECONDS) -> None:
        self._store = store
        self._key = key
        self._fingerprint = fingerprint
        self._lock_seconds = lock_seconds
        self._run: Run | None = None

    async def begin(self, tenant: str, mode: str, call_id: str, now: Micros) -> Replay | None:
        """Lock the key at `now`, or return the stored answer. Raises ApiError 409, 503."""
        request = keyed_request(tenant, mode, self._key, self._fingerprint)
        begun = await self._store.begin(request, now, self._lock_seconds, call_id)
        if isinstance(begun, Replay):
            return begun
        self._run = begun
        return None

    async def complete(self, media_type: str, body: bytes) -> None:
        """Store the reply. Raises ApiError 409 or 503: the key may run again then, and nothing may be charged."""
        if self._run is None:
            raise AssertionError("the key is not locked")
        try:
            await self._store.complete(self._run, 200, media_type, body)
        except BaseException:
            await self._store.release(self._run)
            raise

    async def release(self) -> None:
        """Let the key run again after a failure; the release runs to its end also when the task is cancelled."""
        if self._run:
            await asyncio.shield(asyncio.ensure_future(self._store.release(self._run)))
