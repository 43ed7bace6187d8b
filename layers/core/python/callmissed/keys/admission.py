"""Admission: one conditional write that authenticates, revokes, limits and budgets a call.

The write has two branches, because DynamoDB's conditions have no arithmetic: `busy` when the key's theoretical
arrival time lies ahead, `idle` when it has passed. A container remembers each key's arrival time, to guess the branch,
and until when a limited one must wait, so that refused callers cost no writes.
"""

from dataclasses import dataclass
from typing import Any

from callmissed.aws.attributes import Item, from_item, to_item
from callmissed.aws.database import Database
from callmissed.aws.dynamodb import ConditionFailed
from callmissed.clock import SECOND, month_of
from callmissed.errors import ApiError, invalid_api_key, service_unavailable
from callmissed.keys.policy import ACTIVE, month_budget
from callmissed.ledger.refusals import HoldRefused
from callmissed.ledger.wallet import NO_BUDGET
from callmissed.money import show
from callmissed.platform.tables import KEYS

_REMEMBERED_KEYS = 4096
_TRIES = 4
_LIMITED = frozenset({"rpm", "iv", "tat", "u", "t", "kid", "mode", "plan", "dom", "scp"})
"""What is remembered of a limited key: its rate, and what is checked and told of a call that it refuses."""


@dataclass(frozen=True, slots=True)
class RateState:
    """The key's window: requests a minute, calls it may still make at once, microseconds until it is full again."""

    limit: int
    remaining: int
    reset: int

    @property
    def headers(self) -> dict[str, str]:
        """The window as answers show it; the reset is in seconds from now, rounded up."""
        return {
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": str(self.remaining),
            "X-RateLimit-Reset": str(-(-self.reset // SECOND)),
        }


@dataclass(frozen=True, slots=True)
class Admitted:
    """A key that passed, with its policy as the write returned it. `charged` was taken from the key's budget.

    `elsewhere` are the ids to which the key may move before the call ends (callmissed.keys.rehash).
    """

    hash: str
    item: Item
    charged: int
    now: int
    elsewhere: tuple[str, ...] = ()

    @property
    def tenant(self) -> str:
        """Tenant of the key."""
        return self.item["t"]

    @property
    def has_budget(self) -> bool:
        """Whether the key has a monthly budget of its own."""
        return self.item["bud"] < NO_BUDGET

    @property
    def rate(self) -> RateState:
        """State of the rate limit after this call."""
        return _rate(self.item, self.now)


class RateLimited(ApiError):
    """429: the key is above its rate. `item` is what is known of its hot item, the policy of its calls included."""

    item: Item


class Admission:
    """Admits calls of one stage's keys. Keeps a bounded memory per key; share one per process."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._dynamodb = database.dynamodb
        self._table = database.name(KEYS)
        self._tat: dict[str, int] = {}
        self._limited: dict[str, Item] = {}

    async def admit(self, hash: str, estimate: int, now: int) -> Admitted:
        """Let one call of the key through at `now` (epoch microseconds), charging `estimate` to its budget.

        One round trip, two when the remembered branch was wrong. Raises ApiError 401 for a key that is unknown,
        revoked or expired, RateLimited above its rate, HoldRefused above its budget; Unavailable when DynamoDB does not
        answer.
        """
        limited = self._limited.get(hash)
        if limited and limited["u"] > now:
            raise rate_limited(limited, now)
        month = month_of(now)
        for _ in range(_TRIES):
            busy = self._tat.get(hash, 0) >= now
            try:
                item = await self._write(hash, estimate, now, month, busy=busy)
            except ConditionFailed as refused:
                month = await self._learn(hash, refused.item, estimate, now, month)
            else:
                self._remember(self._tat, hash, item["tat"])
                return Admitted(hash, item, estimate, now)
        raise service_unavailable()

    async def give_back(self, admitted: Admitted, amount: int) -> None:
        """Return `amount` micro-credits to the key's budget for this month, at most once.

        It is sent once and never again: a lost answer leaves the key with less to spend until its month turns, never
        with more. Does nothing for a key without a budget. Raises Unavailable.
        """
        if amount <= 0 or not admitted.has_budget:
            return
        for hash in (admitted.hash, *admitted.elsewhere):
            request: dict[str, Any] = {
                "TableName": self._table,
                "Key": to_item({"id": hash}),
                "UpdateExpression": "SET kb = kb + :amount",
                "ConditionExpression": "km = :month",
                "ExpressionAttributeValues": to_item({":amount": amount, ":month": admitted.item["km"]}),
                "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
            }
            try:
                await self._dynamodb.call("UpdateItem", request, resend_indeterminate=False)
            except ConditionFailed as refused:
                if not refused.item:
                    continue  # the key moved
            return  # given back, or the month turned, and the budget with it

    async def _write(self, hash: str, estimate: int, now: int, month: int, *, busy: bool) -> Item:
        if busy:
            update, branch = "SET tat = tat + iv, u = u + iv, kb = kb - :cost", "tat >= :now AND u <= :now"
        else:
            update, branch = "SET tat = iv + :now, u = dl + :now, kb = kb - :cost", "tat < :now"
        values = {":now": now, ":cost": estimate, ":month": month, ":active": ACTIVE}
        request: dict[str, Any] = {
            "TableName": self._table,
            "Key": to_item({"id": hash}),
            "UpdateExpression": update,
            "ConditionExpression": f"st = :active AND ex > :now AND km = :month AND kb >= :cost AND {branch}",
            "ExpressionAttributeValues": to_item(values),
            "ReturnValues": "ALL_NEW",
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }
        answer = await self._dynamodb.call("UpdateItem", request)
        return from_item(answer["Attributes"])

    async def _learn(self, hash: str, item: Item, estimate: int, now: int, month: int) -> int:
        """Find out from the item why it refused; returns the month to try again with, or raises the refusal."""
        if not item or item["st"] != ACTIVE or item["ex"] <= now:
            raise invalid_api_key()
        if item["km"] < month:
            await self._turn_month(hash, item, month)
            return month
        if item["km"] == month and item["kb"] < estimate:
            raise _over_budget(item["kb"], estimate)
        self._remember(self._tat, hash, item["tat"])
        if item["tat"] >= now and item["u"] > now:
            item = {name: value for name, value in item.items() if name in _LIMITED}
            self._remember(self._limited, hash, item)
            raise rate_limited(item, now)
        return item["km"]

    async def _turn_month(self, hash: str, item: Item, month: int) -> None:
        """Start the month; does nothing when another call did so first."""
        fresh, expected = {"km": month, "kb": month_budget(item, month)}, {"km": item["km"], "bud": item["bud"]}
        await self._database.update_if(KEYS, {"id": hash}, set=fresh, expected=expected)

    def _remember(self, memory: dict[str, Any], hash: str, value: Any) -> None:
        if len(memory) >= _REMEMBERED_KEYS and hash not in memory:
            memory.pop(next(iter(memory)))
        memory[hash] = value


def _rate(item: Item, now: int) -> RateState:
    remaining = max(0, (now - item["u"]) // item["iv"] + 1)
    return RateState(item["rpm"], remaining, max(0, item["tat"] - now))


def _over_budget(left: int, estimate: int) -> HoldRefused:
    message = (
        f"This call may cost up to {show(estimate)} credits and {show(left)} are left of this key's monthly budget. "
        "Raise it, or lower max_tokens."
    )
    refused = HoldRefused(402, "budget_exceeded", message)
    refused.affordable = left
    return refused


def rate_limited(item: Item, now: int) -> RateLimited:
    """429 at `now` (epoch microseconds) for the key whose rate the hot `item` tells."""
    seconds = max(1, -(-(item["u"] - now) // SECOND))
    headers = {"Retry-After": str(seconds)} | _rate(item, now).headers
    message = f"Rate limit reached. Retry in {seconds} s."
    refused = RateLimited(429, "rate_limit_exceeded", message, headers=headers)
    refused.item = item
    return refused
