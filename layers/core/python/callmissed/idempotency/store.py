"""The records of requests with an Idempotency-Key, each a lock first and an answer later.

    absent ──begin──► running ──complete──► done      answered from the record for 24 hours
                       ▲   │
                 begin │   │ release                  every answer but 2xx
                       │   ▼
                       free

A lock whose time is over is taken over by the next begin. Each run has a token of its own in its conditions (fencing),
so a run that comes back from the dead neither completes nor releases what is another's.

An item, by its letters: `id` tenant and key, hashed; `fp` fingerprint of the request; `op` seed of operation ids, drawn
when the key is first seen and kept until the record expires; `st` state; `o` token of the run; `lk` end of its lock
(epoch microseconds); `cid` id of the billed call; `sc`, `ct`, `b` the answer's status, type and body; `far` says that
the body lies in S3; `ttl` epoch seconds, 24 hours after the key was first seen.
"""

import secrets
from dataclasses import dataclass
from typing import Any, Protocol

from callmissed.aws.attributes import Item, from_item, to_item
from callmissed.aws.database import Database
from callmissed.aws.dynamodb import ConditionFailed, DynamoError, Unavailable
from callmissed.clock import SECOND
from callmissed.errors import ApiError, service_unavailable
from callmissed.idempotency.answers import AnswersUnavailable, LongAnswers
from callmissed.idempotency.operation import Operation, derived
from callmissed.idempotency.requests import HEADER, KeyedRequest
from callmissed.observability import get_logger
from callmissed.platform.tables import IDEMPOTENCY

RETENTION_SECONDS = 24 * 3600
MOST_INLINE_BYTES = 100 * 1024
"""The longest body that the record itself keeps; DynamoDB takes items of 400 KB."""

SKEW_SECONDS = 10
"""Two clocks that are each off by five seconds differ by so much: a lock outlives its run's process by more."""

_RUNNING, _FREE, _DONE = "r", "f", "d"
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
        """Where a long answer of this run lies."""
        return f"{self.record}/{self.owner}"


@dataclass(frozen=True, slots=True)
class Replay:
    """An answer that was given before; `call_id` is the billed call's, if it was one."""

    status: int
    content_type: str
    body: bytes
    call_id: str


class Sealing(Protocol):
    """What keeps stored answers from being read by who reads the table, such as `callmissed.sealing.Sealer`."""

    def seal_bytes(self, content: bytes) -> bytes:
        """`content` as it may be stored."""
        ...

    def unseal_bytes(self, sealed: bytes) -> bytes:
        """The bytes that were sealed."""
        ...


class IdempotencyStore:
    """Records of one stage. Every method is one round trip, but for what its docstring names.

    Where answers show a secret that is shown once, `sealing` keeps them sealed.
    """

    def __init__(self, database: Database, long_answers: LongAnswers, sealing: Sealing | None = None) -> None:
        self._sealing = sealing
        self._dynamodb = database.dynamodb
        self._table = database.name(IDEMPOTENCY)
        self._long_answers = long_answers

    async def begin(self, request: KeyedRequest, now: int, lock_seconds: int, call_id: str = "") -> Run | Replay:
        """Lock the request's key at `now` (epoch microseconds), or find the answer that was given.

        The lock must outlive the process of the run by `SKEW_SECONDS`. A second round trip for a key whose 24 hours
        are over. Raises ApiError 409 while another run has the lock or for another request, 503 when nothing was
        locked that we know of; one more round trip then undoes a lock that we may not know of.
        """
        record = _new_record(request, secrets.token_hex(8), now, lock_seconds, call_id)
        try:
            return await self._begun(record, request, now)
        except Unavailable as error:
            if error.indeterminate:
                await self.release(_run(record, record["op"]))
            raise service_unavailable() from error

    async def _begun(self, record: Item, request: KeyedRequest, now: int) -> Run | Replay:
        for _ in range(_TRIES):
            try:
                locked = await self._call("UpdateItem", _lock(self._table, record, now))
                return _run(record, locked["op"])
            except ConditionFailed as refused:
                item = refused.item
            if not _is_over(item, now):
                return await self._judged(item, request, now)
            try:
                await self._call("PutItem", _renewal(self._table, record, item["op"], now))
                return _run(record, record["op"])
            except ConditionFailed:
                continue  # another run renewed it first
        raise service_unavailable()

    async def complete(self, run: Run, status: int, content_type: str, body: bytes) -> None:
        """Keep the run's answer, before anybody gets it. Safe to repeat.

        Bodies above `MOST_INLINE_BYTES` go to S3 first. Raises ApiError 409 when another run has taken the lock over,
        503 when the answer may not be kept. Either way the caller must not get it.
        """
        body = self._sealing.seal_bytes(body) if self._sealing else body
        values: dict[str, Any] = {":sc": status, ":ct": content_type, ":done": _DONE}
        if len(body) > MOST_INLINE_BYTES:
            await self._keep(run, body)
            values[":far"] = True
        else:
            values[":b"] = body
        update = "SET " + ", ".join([*(f"{name[1:]} = {name}" for name in values if name != ":done"), "st = :done"])
        try:
            await self._call("UpdateItem", self._owned(run, f"{update} REMOVE lk", values))
        except Unavailable as error:
            raise service_unavailable() from error
        except ConditionFailed as refused:
            if refused.item.get("o") != run.owner or refused.item["st"] != _DONE:
                raise in_progress(1) from None

    async def release(self, run: Run) -> None:
        """Let the key run again. What can't be released now is free when its lock ends."""
        request = self._owned(run, "SET st = :free REMOVE o, lk", {":free": _FREE})
        try:
            await self._dynamodb.call("UpdateItem", request)
        except ConditionFailed:
            return
        except DynamoError:
            _logger.exception("a key stays locked until its lock ends")

    async def _judged(self, item: Item, request: KeyedRequest, now: int) -> Replay:
        if item["fp"] != request.fingerprint:
            raise _conflict()
        if item["st"] == _RUNNING:
            raise in_progress(-(-(item["lk"] - now) // SECOND))
        stored = await self._find(item) if item.get("far") else item["b"]
        body = self._sealing.unseal_bytes(stored) if self._sealing else stored
        return Replay(item["sc"], item["ct"], body, item["cid"])

    async def _keep(self, run: Run, body: bytes) -> None:
        try:
            await self._long_answers.keep(run.answer_name, body)
        except AnswersUnavailable as error:
            _logger.exception("a long answer could not be kept")
            raise service_unavailable() from error

    async def _find(self, item: Item) -> bytes:
        try:
            return await self._long_answers.find(f"{item['id']}/{item['o']}")
        except AnswersUnavailable as error:
            _logger.exception("a long answer could not be found")
            raise service_unavailable() from error

    async def _call(self, operation: str, request: dict[str, Any]) -> Item:
        answer = await self._dynamodb.call(operation, request)
        return from_item(answer.get("Attributes", {}))

    def _owned(self, run: Run, update: str, values: dict[str, Any]) -> dict[str, Any]:
        """An update of a record that `run` still has."""
        return {
            "TableName": self._table,
            "Key": to_item({"id": run.record}),
            "UpdateExpression": update,
            "ConditionExpression": "o = :o AND st = :running",
            "ExpressionAttributeValues": to_item(values | {":o": run.owner, ":running": _RUNNING}),
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }


def in_progress(seconds: int) -> ApiError:
    """409: the same request is being worked on, for `seconds` more at most."""
    message = f"A request with this {HEADER} is still running."
    wait = {"Retry-After": str(min(max(seconds, 1), _RETRY_SECONDS))}
    return ApiError(409, "idempotency_in_progress", message, headers=wait)


def _conflict() -> ApiError:
    message = f"This {HEADER} was used for another request within 24 hours. Use a new one."
    return ApiError(409, "idempotency_conflict", message)


def _new_record(request: KeyedRequest, owner: str, now: int, lock_seconds: int, call_id: str) -> Item:
    return {
        "id": request.record,
        "fp": request.fingerprint,
        "op": secrets.token_hex(8),
        "st": _RUNNING,
        "o": owner,
        "lk": now + lock_seconds * SECOND,
        "cid": call_id,
        "ttl": now // SECOND + RETENTION_SECONDS,
    }


def _lock(table: str, record: Item, now: int) -> dict[str, Any]:
    """Lock a key that is new, free, left by a dead run of this request, or locked by an earlier try of ours."""
    values = {f":{name}": value for name, value in record.items() if name != "id"}
    return {
        "TableName": table,
        "Key": to_item({"id": record["id"]}),
        "UpdateExpression": "SET o = :o, lk = :lk, st = :st, fp = :fp, cid = :cid,"
        " op = if_not_exists(op, :op), #ttl = if_not_exists(#ttl, :ttl)",
        "ConditionExpression": "attribute_not_exists(id) OR (#ttl > :today AND"
        " (st = :free OR (st = :st AND fp = :fp AND (lk <= :now OR o = :o))))",
        "ExpressionAttributeNames": {"#ttl": "ttl"},
        "ExpressionAttributeValues": to_item(values | {":now": now, ":today": now // SECOND, ":free": _FREE}),
        "ReturnValues": "UPDATED_NEW",
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }


def _renewal(table: str, record: Item, old_seed: str, now: int) -> dict[str, Any]:
    """Put the record in the place of one whose 24 hours are over and that DynamoDB has not deleted yet."""
    values = {":old": old_seed, ":running": _RUNNING, ":now": now, ":today": now // SECOND}
    return {
        "TableName": table,
        "Item": to_item(record),
        "ConditionExpression": "op = :old AND #ttl <= :today AND (st <> :running OR lk <= :now)",
        "ExpressionAttributeNames": {"#ttl": "ttl"},
        "ExpressionAttributeValues": to_item(values),
    }


def _run(record: Item, seed: str) -> Run:
    return Run(record["id"], record["o"], Operation(derived(seed, record["fp"])[:32]))


def _is_over(item: Item, now: int) -> bool:
    return item["ttl"] <= now // SECOND and not (item["st"] == _RUNNING and item["lk"] > now)
