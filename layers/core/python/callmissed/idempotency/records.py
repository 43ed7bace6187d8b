"""The records of requests with an Idempotency-Key, as they are stored, and the requests that change them.

An item, by its letters: `id` tenant and key, hashed; `fp` fingerprint of the request; `op` seed of operation ids, drawn
when the key is first seen and kept until the record expires; `st` state; `o` token of the run; `lk` end of its lock
(epoch microseconds); `cid` id of the billed call; `sc`, `ct`, `b` the answer's status, type and body; `far` says that
the body is stored in S3; `ttl` epoch seconds, 24 hours after the key was first seen.
"""

from dataclasses import dataclass
from typing import Any

from callmissed.aws.attributes import Item, to_item
from callmissed.clock import SECOND, Micros

RUNNING, FREE, DONE = "r", "f", "d"


@dataclass(frozen=True, slots=True)
class Lock:
    """A key as a run means to lock it. `owner` is the run's token, `until` epoch microseconds, `ends` epoch seconds."""

    record_id: str
    fingerprint: str
    seed: str
    owner: str
    until: Micros
    call_id: str
    ends: int


@dataclass(frozen=True, slots=True)
class IdempotencyRecord:
    """A record as it was read. The answer is there when it is done: its body, or None where that lies in S3."""

    record_id: str
    fingerprint: str
    seed: str
    state: str
    owner: str
    locked_until: Micros
    call_id: str
    ends: int
    status: int = 0
    content_type: str = ""
    body: bytes | None = None

    def is_over(self, now: Micros) -> bool:
        """Whether its 24 hours are over at `now`, and no run is under way."""
        return self.ends <= now // SECOND and not (self.state == RUNNING and self.locked_until > now)


def record_of(item: Item) -> IdempotencyRecord:
    """The record as it was read."""
    return IdempotencyRecord(
        record_id=item["id"],
        fingerprint=item["fp"],
        seed=item["op"],
        state=item["st"],
        owner=item.get("o", ""),
        locked_until=item.get("lk", 0),
        call_id=item["cid"],
        ends=item["ttl"],
        status=item.get("sc", 0),
        content_type=item.get("ct", ""),
        body=item.get("b"),
    )


def seed_of(attributes: Item) -> str:
    """The seed of operation ids, from the answer to `lock_request`."""
    return attributes["op"]


def end_of(attributes: Item) -> int:
    """When the record ends, in epoch seconds, from the answer to `lock_request`."""
    return attributes["ttl"]


def lock_request(table: str, lock: Lock, now: Micros) -> dict[str, Any]:
    """Lock a key that is new, free, left by a dead run of this request, or locked by an earlier try of ours."""
    values = {f":{name}": value for name, value in _to_item(lock).items() if name != "id"}
    return {
        "TableName": table,
        "Key": to_item({"id": lock.record_id}),
        "UpdateExpression": "SET o = :o, lk = :lk, st = :st, fp = :fp, cid = :cid,"
        " op = if_not_exists(op, :op), #ttl = if_not_exists(#ttl, :ttl)",
        "ConditionExpression": "attribute_not_exists(id) OR (#ttl > :today AND"
        " (st = :free OR (st = :st AND fp = :fp AND (lk <= :now OR o = :o))))",
        "ExpressionAttributeNames": {"#ttl": "ttl"},
        "ExpressionAttributeValues": to_item(values | {":now": now, ":today": now // SECOND, ":free": FREE}),
        "ReturnValues": "UPDATED_NEW",
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }


def renewal_request(table: str, lock: Lock, old_seed: str, now: Micros) -> dict[str, Any]:
    """Put a locked record in the place of one whose 24 hours are over and that DynamoDB has not deleted yet."""
    values = {":old": old_seed, ":running": RUNNING, ":now": now, ":today": now // SECOND}
    return {
        "TableName": table,
        "Item": to_item(_to_item(lock)),
        "ConditionExpression": "op = :old AND #ttl <= :today AND (st <> :running OR lk <= :now)",
        "ExpressionAttributeNames": {"#ttl": "ttl"},
        "ExpressionAttributeValues": to_item(values),
    }


def complete_request(
    table: str, record_id: str, owner: str, *, status: int, content_type: str, body: bytes | None
) -> dict[str, Any]:
    """Store the answer in a record that the run `owner` still has. No `body` says that it lies in S3."""
    stored: Item = {":far": True} if body is None else {":b": body}
    values: Item = {":sc": status, ":ct": content_type, **stored}
    update = "SET " + ", ".join([*(f"{name[1:]} = {name}" for name in values), "st = :done"])
    return _owned(table, record_id, owner, f"{update} REMOVE lk", values | {":done": DONE})


def release_request(table: str, record_id: str, owner: str) -> dict[str, Any]:
    """Free a record that the run `owner` still has."""
    return _owned(table, record_id, owner, "SET st = :free REMOVE o, lk", {":free": FREE})


def _owned(table: str, record_id: str, owner: str, update: str, values: Item) -> dict[str, Any]:
    return {
        "TableName": table,
        "Key": to_item({"id": record_id}),
        "UpdateExpression": update,
        "ConditionExpression": "o = :o AND st = :running",
        "ExpressionAttributeValues": to_item(values | {":o": owner, ":running": RUNNING}),
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }


def _to_item(lock: Lock) -> Item:
    return {
        "id": lock.record_id,
        "fp": lock.fingerprint,
        "op": lock.seed,
        "st": RUNNING,
        "o": lock.owner,
        "lk": lock.until,
        "cid": lock.call_id,
        "ttl": lock.ends,
    }
