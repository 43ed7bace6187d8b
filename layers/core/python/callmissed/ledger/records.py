"""The stored form of wallets, and the requests that change them.

A wallet is written twice a call, so its names are letters:

id      tenant, or tenant#shard     plan  the tenant's plan
st      status, `active` or why not mon   month that the counters count, such as 202611
av      available, below zero in debt h   holds: call id -> [amount, attempt, service, …] (HoldToken)
gr      granted, all time           sp    spent this month     spt  spent in the months before
bud     monthly budget              bl    what is left of it
q_<service>  calls left this month

Only the first wallet of a tenant may have, where they differ from the default:

rt      returned, all time          bon   sign-up bonus, all time
sh      number of wallets ever made al    false: no alerts of the budget
lc      threshold of few credits, in credits
"""

from collections.abc import Mapping
from dataclasses import fields
from hashlib import sha256
from typing import Any

from callmissed.aws.attributes import Item, to_item
from callmissed.aws.comparisons import Comparison, at_least, below, equal, missing_or, one_of
from callmissed.aws.database import Database
from callmissed.aws.dynamodb import TransactionCanceled
from callmissed.aws.operations import (
    WriteOperation,
    check_operation,
    put_new_operation,
    put_operation,
    update_operation,
)
from callmissed.clock import month_start
from callmissed.ids import new_call_id
from callmissed.ledger.entries import Account, EntryType, LedgerEntry, to_record
from callmissed.ledger.wallet import ACTIVE, NO_QUOTA, SERVICES, HoldToken, Wallet, fresh_quotas
from callmissed.money import NOTHING, MicroCredits
from callmissed.plans.plans import Plan, limits
from callmissed.platform.tables import LEDGER, WALLETS

_LETTERS = {
    "wallet_id": "id",
    "plan": "plan",
    "status": "st",
    "month": "mon",
    "available": "av",
    "granted": "gr",
    "spent": "sp",
    "spent_before": "spt",
    "budget": "bud",
    "budget_left": "bl",
}
_OPTIONAL = {"returned": "rt", "bonus": "bon", "shards": "sh", "alerts": "al", "low_credits": "lc"}
_DEFAULTS = {each.name: each.default for each in fields(Wallet) if each.name in _OPTIONAL}


def wallet_of(item: Item) -> Wallet:
    """The wallet from its stored form."""
    values = {name: item[letter] for name, letter in _LETTERS.items()}
    values |= {name: item[letter] for name, letter in _OPTIONAL.items() if letter in item}
    holds = {call_id: HoldToken(*token) for call_id, token in item["h"].items()}
    return Wallet(**values, holds=holds, quotas={service: item[_quota(service)] for service in SERVICES})


def to_wallet_item(wallet: Wallet) -> Item:
    """The wallet as it is stored."""
    item: Item = {letter: getattr(wallet, name) for name, letter in _LETTERS.items()}
    item |= {_OPTIONAL[name]: getattr(wallet, name) for name in _OPTIONAL if getattr(wallet, name) != _DEFAULTS[name]}
    quotas = {_quota(service): left for service, left in wallet.quotas.items()}
    return item | quotas | {"h": {call_id: list(token) for call_id, token in wallet.holds.items()}}


def put_new_wallet(wallet: Wallet) -> WriteOperation:
    """The operation that writes a wallet unless one exists."""
    return put_new_operation(WALLETS, to_wallet_item(wallet))


def budget_operation(wallet: Wallet, change: int) -> WriteOperation:
    """The operation that changes the wallet's budget, and what is left of it, if the budget is as it was read."""
    expected, key = {"bud": wallet.budget}, {"id": wallet.wallet_id}
    if not change:
        return check_operation(WALLETS, key, expected=expected)
    return update_operation(WALLETS, key, add={"bud": change, "bl": change}, expected=expected)


def first_budget_operation(first: Wallet, change: int, *, alerts: bool, low_credits: int | None) -> WriteOperation:
    """As `budget_operation`, for the first wallet, if no further wallets were made since it was read.

    It also says whether the tenant wants alerts, and its threshold of few credits.
    """
    wanted = {"al": None if alerts else False, "lc": low_credits}
    return update_operation(
        WALLETS,
        {"id": first.wallet_id},
        add={"bud": change, "bl": change},
        set={letter: value for letter, value in wanted.items() if value is not None},
        remove=[letter for letter, value in wanted.items() if value is None],
        expected={"bud": first.budget, "sh": equal(first.shards) if first.shards > 1 else missing_or(equal(1))},
    )


def plan_operation(
    wallet: Wallet,
    moved: tuple[int, int],
    calls: Mapping[str, int],
    expected: Mapping[str, Comparison],
    *,
    plan: str = "",
    shards: int = 0,
) -> WriteOperation:
    """The operation that adds credits and budget (`moved`) and calls left of each service, below zero to take them.

    Its condition is that plan and month are as they were read. The first wallet gets another `plan`, and how many
    `shards` were ever made.
    """
    credits, budget = moved
    more = {"av": credits, "gr": credits, "bl": budget, "bud": budget}
    more |= {_quota(service): count for service, count in calls.items()}
    return update_operation(
        WALLETS,
        {"id": wallet.wallet_id},
        add={letter: amount for letter, amount in more.items() if amount},
        set={"plan": str(plan), "sh": shards} if plan else {},
        expected={"plan": wallet.plan, "mon": wallet.month, **expected},
    )


def behind_month(month: int) -> dict[str, Comparison]:
    """Selection of the wallets that the schedule turns: those of paid plans that no call of `month` has turned."""
    return {"mon": below(month), "plan": one_of(*(str(plan) for plan in Plan if plan is not Plan.FREE))}


def status_operation(wallet_id: str, status: str) -> WriteOperation:
    """The operation that opens a wallet that exists, or closes it for the reason `status`."""
    return update_operation(WALLETS, {"id": wallet_id}, set={"st": status})


def count_shards_operation(first: Wallet, shards: int) -> WriteOperation:
    """The operation that counts the tenant's wallets, if the first one has the status and budget that were read."""
    expected = {"st": first.status, "bud": first.budget}
    return update_operation(WALLETS, {"id": first.wallet_id}, set={"sh": shards}, expected=expected)


def shift_operation(
    wallet_id: str,
    credits: int = 0,
    budget: int = 0,
    *,
    returned: MicroCredits = NOTHING,
    expected: Mapping[str, Comparison] | None = None,
) -> WriteOperation:
    """The operation that moves micro-credits and budget into the wallet, or out of it, if it is as `expected`.

    Credits that leave the tenant are `returned`; the others are granted, or come from another wallet.
    """
    more = {"av": credits, "gr": credits + returned, "bl": budget, "bud": budget, "rt": returned}
    moved = {letter: amount for letter, amount in more.items() if amount}
    return update_operation(WALLETS, {"id": wallet_id}, add=moved, expected=expected or {})


def still_has(credits: int, budget: int) -> dict[str, Comparison]:
    """Expectation of `shift_operation` that the wallet still has what leaves it; what comes into it needs none."""
    given = {"av": -credits, "bl": -budget}
    return {letter: at_least(amount) for letter, amount in given.items() if amount > 0}


def hold_request(table: str, wallet_id: str, call_id: str, token: HoldToken, month: int) -> dict[str, Any]:
    """`UpdateItem` that places a hold, if the wallet is active, has enough and counts for `month`."""
    values = {":a": token.amount, ":month": month, ":active": ACTIVE, ":token": token}
    names, counted, has_quota = {"#id": call_id}, "", ""
    if token.service != NO_QUOTA:
        values[":one"], names["#q"] = 1, _quota(token.service)
        counted, has_quota = ", #q = #q - :one", " AND #q >= :one"
    return {
        "TableName": table,
        "Key": {"id": {"S": wallet_id}},
        "UpdateExpression": f"SET av = av - :a, bl = bl - :a{counted}, h.#id = :token",
        "ConditionExpression": f"st = :active AND mon = :month{has_quota} AND av >= :a AND bl >= :a"
        " AND attribute_not_exists(h.#id)",
        "ExpressionAttributeNames": names,
        "ExpressionAttributeValues": to_item(values),
        "ReturnValues": "UPDATED_NEW",
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }


def held_state(answer: Mapping[str, Any], service: str) -> tuple[MicroCredits, int | None]:
    """Available micro-credits, and calls of the service left this month, from the answer to `hold_request`."""
    attributes = answer["Attributes"]
    left = None if service == NO_QUOTA else int(attributes[_quota(service)]["N"])
    return MicroCredits(int(attributes["av"]["N"])), left


def resolve_request(
    table: str, wallet_id: str, call_id: str, token: HoldToken, cost: MicroCredits, *, quota_month: int | None = None
) -> dict[str, Any]:
    """`UpdateItem` that turns a hold into `cost` spent and the rest available, once.

    With `quota_month` the call no longer counts in that month's quota, if the month is still current.
    """
    update = "SET av = av + :back, bl = bl + :back, sp = sp + :cost"
    condition = "h.#id = :token"
    names = {"#id": call_id}
    values: dict[str, Any] = {":back": token.amount - cost, ":cost": cost, ":token": token}
    if quota_month is not None and token.service != NO_QUOTA:
        update += ", #q = #q + :one"
        condition += " AND mon = :month"
        names["#q"] = _quota(token.service)
        values |= {":one": 1, ":month": quota_month}
    return {
        "TableName": table,
        "Key": {"id": {"S": wallet_id}},
        "UpdateExpression": f"{update} REMOVE h.#id",
        "ConditionExpression": condition,
        "ExpressionAttributeNames": names,
        "ExpressionAttributeValues": to_item(values),
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }


def resolve_operation(
    wallet_id: str, call_id: str, token: HoldToken, cost: MicroCredits, *, quota_month: int | None = None
) -> WriteOperation:
    """As `resolve_request`, for a transaction."""
    request = resolve_request("", wallet_id, call_id, token, cost, quota_month=quota_month)
    del request["TableName"]
    return WriteOperation("Update", WALLETS, request)


async def start_month(database: Database, wallet: Wallet, month: int, *, with_grant: bool = True) -> None:
    """Start `month`: counters are reset, and holds in flight count for the new month. Raises Unavailable.

    A tenant on the free plan gets the month's grant in the same transaction, unless it is not to come `with_grant`.
    Does nothing when another call started the month first, or the plan has changed. A month whose grant was entered
    before, as after a restore of the wallets, begins without one.
    """
    granted = limits(wallet.plan).monthly_grant if with_grant and wallet.plan == Plan.FREE else NOTHING
    if granted:
        entry = put_operation(LEDGER, to_record(_free_grant(wallet, month, granted)), must_not_exist=("entry",))
        try:
            await database.transact([_month_operation(wallet, month, granted), entry])
        except TransactionCanceled as cancelled:
            if cancelled.reasons[0] != "None":
                return
        else:
            return
    await database.write_if(_month_operation(wallet, month, NOTHING))


def _free_grant(wallet: Wallet, month: int, amount: MicroCredits) -> LedgerEntry:
    """The month's grant of the free plan. It has one id for ever, so a month has one."""
    begun = month_start(month)
    digest = int.from_bytes(sha256(wallet.wallet_id.encode()).digest()[:8]) >> 4
    return LedgerEntry(
        wallet.wallet_id,
        new_call_id(begun, 1, digest),
        EntryType.PLAN_GRANT,
        amount,
        Account.PROMOTION,
        Account.AVAILABLE,
        begun,
        description=f"Free credits of {month // 100}-{month % 100:02}",
        reference=f"plan-grant-{month}",
    )


def _month_operation(wallet: Wallet, month: int, granted: MicroCredits) -> WriteOperation:
    fresh = {_quota(service): left for service, left in fresh_quotas(wallet.plan).items()}
    counters = ", ".join(f"#{name} = :{name}" for name in fresh)
    values: Item = {f":{name}": left for name, left in fresh.items()}
    values |= {":new": month, ":old": wallet.month, ":plan": wallet.plan, ":zero": 0}
    grant = ""
    if granted:
        values[":granted"], grant = granted, ", av = av + :granted, gr = gr + :granted"
    request = {
        "Key": to_item({"id": wallet.wallet_id}),
        "UpdateExpression": f"SET mon = :new, spt = spt + sp, bl = bl + sp, sp = :zero{grant}, {counters}",
        "ConditionExpression": "mon = :old AND #plan = :plan",
        "ExpressionAttributeNames": {"#plan": "plan", **{f"#{name}": name for name in fresh}},
        "ExpressionAttributeValues": to_item(values),
    }
    return WriteOperation("Update", WALLETS, request)


def _quota(service: str) -> str:
    return f"q_{service}"
