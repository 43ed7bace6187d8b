"""The records of requests with an Idempotency-Key, each a lock first and an answer later.

    none ────begin──► running ──complete──► done      answered from the record for 24 hours
                       ▲   │
                 begin │   │ release                  every answer but 2xx
                       │   ▼
                       free

A lock whose time is over is taken over by the next begin. Each run has a token of its own in its conditions (fencing),
so a run that resumes after another took the lock over neither completes nor releases the record.
"""

import secrets
from dataclasses import dataclass
from typing import Any, Protocol

from callmissed.aws.attributes import Item, from_item
from callmissed.aws.buckets import BucketUnavailable, LongBodies
from callmissed.aws.database import Database
from callmissed.aws.dynamodb import ConditionFailed, DynamoError, Unavailable
from callmissed.clock import SECOND, Micros
from callmissed.errors import ApiError, service_unavailable
from callmissed.idempotency.operation import Operation, derived
from callmissed.idempotency.records import (
    DONE,
    RUNNING,
    IdempotencyRecord,
    Lock,
    complete_request,
    end_of,
    lock_request,
    record_of,
    release_request,
    renewal_request,
    seed_of,
)
from callmissed.idempotency.requests import HEADER, KeyedRequest
from callmissed.observability import get_logger
from callmissed.platform.tables import IDEMPOTENCY

RETENTION_SECONDS = 24 * 3600
MAX_INLINE_BYTES = 100 * 1024
"""The maximum body that the record itself stores; DynamoDB accepts items of 400 KB."""

SKEW_SECONDS = 10
"""The difference of two clocks that are each off by five seconds. A lock outlives its run's process by more."""

_TRIES = 4
_RETRY_SECONDS = 5
_logger = get_logger("idempotency")


@dataclass(frozen=True, slots=True)
class Run:
    """A run that holds the lock of its record: it completes it, or releases it."""

    record: str
    owner: str
    operation: Operation

    @property
    def answer_name(self) -> str:
        """Name under which a long answer of this run is stored."""
        return f"{self.record}/{self.owner}"


@dataclass(frozen=True, slots=True)
class Replay:
    """A stored answer; `call_id` is the billed call's, if it was one."""

    status: int
    content_type: str
    body: bytes
    call_id: str


class Sealing(Protocol):
    """Encrypts stored answers, such as `callmissed.sealing.Sealer`."""

    def seal_bytes(self, content: bytes) -> bytes:
        """`content` as it may be stored."""
        ...

    def unseal_bytes(self, sealed: bytes) -> bytes:
        """The bytes that were sealed."""
        ...


class IdempotencyStore:
    """Records of one stage. Every method is one round trip, except where its docstring names more.

    `sealing` seals the stored answers of routes whose answer shows a secret once.
    """

    def __init__(self, database: Database, long_answers: LongBodies, sealing: Sealing | None = None) -> None:
        self._sealing = sealing
        self._dynamodb = database.dynamodb
        self._table = database.name(IDEMPOTENCY)
        self._long_answers = long_answers

    async def begin(self, request: KeyedRequest, now: Micros, lock_seconds: int, call_id: str = "") -> Run | Replay:
        """Lock the request's key at `now`, or find the answer that was given.

        The lock must outlive the process of the run by `SKEW_SECONDS`. A second round trip for a key whose 24 hours
        are over. Raises ApiError 409 while another run has the lock or for another request, 503 when the lock is not
        confirmed; one more round trip then releases a lock that a lost answer may have set.
        """
        lock = _new_lock(request, now, lock_seconds, call_id)
        try:
            return await self._begun(lock, request, now)
        except Unavailable as error:
            if error.indeterminate:
                await self.release(_run(lock, lock.seed, lock.ends))
            raise service_unavailable() from error

    async def _begun(self, lock: Lock, request: KeyedRequest, now: Micros) -> Run | Replay:
        for _ in range(_TRIES):
            try:
                locked = await self._call("UpdateItem", lock_request(self._table, lock, now))
                return _run(lock, seed_of(locked), end_of(locked))
            except ConditionFailed as refused:
                record = record_of(refused.item)
            if not record.is_over(now):
                return await self._answered(record, request, now)
            try:
                await self._call("PutItem", renewal_request(self._table, lock, record.seed, now))
                return _run(lock, lock.seed, lock.ends)
            except ConditionFailed:
                continue  # another run renewed it first
        raise service_unavailable()

    async def complete(self, run: Run, status: int, content_type: str, body: bytes) -> None:
        """Store the run's answer, before the caller gets it. Safe to repeat.

        Bodies above `MAX_INLINE_BYTES` go to S3 first. Raises ApiError 409 when another run has taken the lock over,
        503 when the answer may not be stored. Either way the caller must not get it.
        """
        stored: bytes | None = self._sealing.seal_bytes(body) if self._sealing else body
        if len(stored) > MAX_INLINE_BYTES:
            await self._keep(run, stored)
            stored = None
        request = complete_request(
            self._table, run.record, run.owner, status=status, content_type=content_type, body=stored
        )
        try:
            await self._call("UpdateItem", request)
        except Unavailable as error:
            raise service_unavailable() from error
        except ConditionFailed as refused:
            record = record_of(refused.item) if refused.item else None
            if not record or record.owner != run.owner or record.state != DONE:
                raise in_progress(1) from None

    async def release(self, run: Run) -> None:
        """Let the key run again. After a failed release, the key is free when its lock ends."""
        request = release_request(self._table, run.record, run.owner)
        try:
            await self._dynamodb.call("UpdateItem", request)
        except ConditionFailed:
            return
        except DynamoError:
            _logger.exception("a key stays locked until its lock ends")

    async def _answered(self, record: IdempotencyRecord, request: KeyedRequest, now: Micros) -> Replay:
        if record.fingerprint != request.fingerprint:
            raise _conflict()
        if record.state == RUNNING:
            raise in_progress(-(-(record.locked_until - now) // SECOND))
        stored = await self._find(record) if record.body is None else record.body
        body = self._sealing.unseal_bytes(stored) if self._sealing else stored
        return Replay(record.status, record.content_type, body, record.call_id)

    async def _keep(self, run: Run, body: bytes) -> None:
        try:
            await self._long_answers.keep(run.answer_name, body)
        except BucketUnavailable as error:
            _logger.exception("a long answer could not be kept")
            raise service_unavailable() from error

    async def _find(self, record: IdempotencyRecord) -> bytes:
        try:
            return await self._long_answers.find(f"{record.record_id}/{record.owner}")
        except BucketUnavailable as error:
            _logger.exception("a long answer could not be found")
            raise service_unavailable() from error

    async def _call(self, operation: str, request: dict[str, Any]) -> Item:
        answer = await self._dynamodb.call(operation, request)
        return from_item(answer.get("Attributes", {}))


def in_progress(seconds: int) -> ApiError:
    """409: the same request is in progress, for at most `seconds` more."""
    message = f"A request with this {HEADER} is still running."
    wait = {"Retry-After": str(min(max(seconds, 1), _RETRY_SECONDS))}
    return ApiError(409, "idempotency_in_progress", message, headers=wait)


def _conflict() -> ApiError:
    message = f"This {HEADER} was used for another request within 24 hours. Use a new one."
    return ApiError(409, "idempotency_conflict", message)


def _new_lock(request: KeyedRequest, now: Micros, lock_seconds: int, call_id: str) -> Lock:
    return Lock(
        record_id=request.record,
        fingerprint=request.fingerprint,
        seed=secrets.token_hex(8),
        owner=secrets.token_hex(8),
        until=Micros(now + lock_seconds * SECOND),
        call_id=call_id,
        ends=now // SECOND + RETENTION_SECONDS,
    )


def _run(lock: Lock, seed: str, ends: int) -> Run:
    """A run of the operation that began 24 hours before the record ends."""
    operation = Operation(derived(seed, lock.fingerprint)[:32], Micros((ends - RETENTION_SECONDS) * SECOND))
    return Run(lock.record_id, lock.owner, operation)
