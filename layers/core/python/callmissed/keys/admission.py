"""Admission: one conditional write that authenticates, revokes, limits and budgets a call.

The write has two branches, because DynamoDB's conditions have no arithmetic: `busy` when the key's theoretical
arrival time is in the future, `idle` when it has passed. A container caches each key's arrival time, to guess the
branch, and the end of a limited key's wait, so that refused callers cost a read instead of a write.
"""

from dataclasses import dataclass, replace
from typing import TypeVar

from callmissed.aws.attributes import from_item
from callmissed.aws.database import Database
from callmissed.aws.dynamodb import ConditionFailed
from callmissed.clock import SECOND, Micros, month_of
from callmissed.errors import ApiError, account_closed, invalid_api_key, service_unavailable
from callmissed.keys.rates import RateState
from callmissed.keys.records import (
    KeyItem,
    admit_request,
    budget_request,
    key_item_of,
    read_key_item,
    start_month,
)
from callmissed.ledger.errors import HoldRefused
from callmissed.money import NOTHING, MicroCredits, show
from callmissed.platform.tables import KEYS

MAX_REMEMBERED = 4096
"""Maximum keys of which a process remembers something."""

_TRIES = 4
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Admitted:
    """An admitted `key`, as the write returned it. `charged` micro-credits were taken from its budget at `now`.

    `elsewhere` are the ids to which the key may move before the call ends (callmissed.keys.rotation.pepper_rotation).
    """

    key: KeyItem
    charged: MicroCredits
    now: Micros
    elsewhere: tuple[str, ...] = ()

    @property
    def rate(self) -> RateState:
        """State of the rate limit after this call."""
        return self.key.rate(self.now)


class RateLimited(ApiError):
    """429: the `key` is above its rate. `key` is its last state in this process, the policy included."""

    key: KeyItem


class Admission:
    """Admits calls of one stage's keys. Keeps a bounded memory per key; share one per process."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._table = database.name(KEYS)
        self._arrivals: dict[str, int] = {}
        self._limited: dict[str, KeyItem] = {}

    async def admit(self, key_hash: str, estimate: MicroCredits, now: Micros) -> Admitted:
        """Admit one call of the key at `now`, and charge `estimate` to its budget.

        One round trip, two when the cached branch was wrong or the limit was lifted. Raises ApiError 401 for a key that
        is unknown, paused, revoked or expired, 403 for a tenant that is not active, RateLimited above its rate,
        HoldRefused above its budget; Unavailable when DynamoDB does not answer.
        """
        limited = self._limited.get(key_hash)
        if limited and limited.conforms_at > now:
            await self._check_limited(key_hash, now)
        month = month_of(now)
        for _ in range(_TRIES):
            busy = self._arrivals.get(key_hash, 0) >= now
            request = admit_request(self._table, key_hash, estimate, now, month, busy=busy)
            try:
                answer = await self._database.dynamodb.call("UpdateItem", request)
            except ConditionFailed as refused:
                key = key_item_of(refused.item) if refused.item else None
                month = await self._learn(key, estimate, now, month)
            else:
                key = key_item_of(from_item(answer["Attributes"]))
                remember(self._arrivals, key_hash, key.arrival)
                return Admitted(key, estimate, now)
        raise service_unavailable()

    async def charge(self, admitted: Admitted, amount: MicroCredits) -> Admitted:
        """Charge `amount` to the budget of a key whose call was admitted before anyone knew what it may cost.

        One round trip, and none for a key without a budget. Raises ApiError 401 for a key that was deleted meanwhile,
        HoldRefused above its budget; Unavailable.
        """
        if not admitted.key.has_budget:
            return admitted
        for key_hash in (admitted.key.key_hash, *admitted.elsewhere):
            if key := await self._charged(key_hash, amount, admitted.key.month):
                return replace(admitted, key=key, charged=amount)
        raise invalid_api_key()

    async def give_back(self, admitted: Admitted, amount: MicroCredits) -> None:
        """Return `amount` to the key's budget for this month, at most once.

        The write is sent once, without retries: a lost answer leaves the key with less to spend until the next month,
        never with more. Does nothing for a key without a budget. Raises Unavailable.
        """
        if amount <= 0 or not admitted.key.has_budget:
            return
        for key_hash in (admitted.key.key_hash, *admitted.elsewhere):
            request = budget_request(self._table, key_hash, amount, admitted.key.month)
            try:
                await self._database.dynamodb.call("UpdateItem", request, resend_indeterminate=False)
            except ConditionFailed as refused:
                if not refused.item:
                    continue  # the key moved
            return  # given back, or a new month with a new budget has begun

    async def _charged(self, key_hash: str, amount: MicroCredits, month: int) -> KeyItem | None:
        """The key with `amount` less in its budget; None if it is not there. Raises HoldRefused."""
        try:
            request = budget_request(self._table, key_hash, MicroCredits(-amount), month)
            answer = await self._database.dynamodb.call("UpdateItem", request)
        except ConditionFailed as refused:
            key = key_item_of(refused.item) if refused.item else None
            if key and key.month == month:
                raise _over_budget(max(key.budget_left, NOTHING), amount) from None
            return await self._charged(key_hash, amount, key.month) if key else None  # a new month has begun
        return key_item_of(from_item(answer["Attributes"]))

    async def _check_limited(self, key_hash: str, now: Micros) -> None:
        """Refuse a key that is still above its rate, which may have changed, as all of the key may have."""
        key = await read_key_item(self._database, key_hash)
        if key and key.works(now) and key.is_limited(now):
            raise rate_limited(key, now)
        self._limited.pop(key_hash, None)

    async def _learn(self, key: KeyItem | None, estimate: MicroCredits, now: Micros, month: int) -> int:
        """The month to retry with, from the key that refused the write. Raises the refusal if a retry can't help."""
        if key and key.is_closed(now):
            raise account_closed(key.status)
        if not key or not key.works(now):
            raise invalid_api_key()
        if key.month < month:
            await start_month(self._database, key, month)
            return month
        if key.month == month and 0 < estimate > key.budget_left:
            raise _over_budget(max(key.budget_left, NOTHING), estimate)
        remember(self._arrivals, key.key_hash, key.arrival)
        if key.is_limited(now):
            remember(self._limited, key.key_hash, key)
            raise rate_limited(key, now)
        return key.month


def _over_budget(left: MicroCredits, estimate: MicroCredits) -> HoldRefused:
    message = (
        f"This call may cost up to {show(estimate)} credits and {show(left)} are left of this key's monthly budget. "
        "Raise it, or make the call smaller."
    )
    refused = HoldRefused(402, "budget_exceeded", message)
    refused.affordable = left
    return refused


def rate_limited(key: KeyItem, now: Micros) -> RateLimited:
    """429 at `now` for a key above its rate."""
    seconds = max(1, -(-(key.conforms_at - now) // SECOND))
    headers = {"Retry-After": str(seconds)} | key.rate(now).headers
    message = f"Rate limit reached. Retry in {seconds} s."
    refused = RateLimited(429, "rate_limit_exceeded", message, headers=headers)
    refused.key = key
    return refused


def remember(memory: dict[str, T], key_hash: str, value: T) -> None:
    """Store `value` for the key; evicts the oldest entry when the memory is full."""
    if len(memory) >= MAX_REMEMBERED and key_hash not in memory:
        memory.pop(next(iter(memory)))
    memory[key_hash] = value
