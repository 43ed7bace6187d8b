"""The wallet item: one per tenant, written twice a call, so its names are letters.

id      tenant                      plan  the tenant's plan
st      status, `active` or why not mon   month that the counters count, such as 202611
av      available micro-credits     h     holds: call id -> [amount, attempt, service]
gr      granted, all time           sp    spent this month     spt  spent in the months before
bud     monthly budget              bl    what is left of it
q_<service>  calls left this month

av + sum(h) + sp + spt = gr  and  bl + sum(h) + sp = bud  at every read: each write moves between two of them.
"""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from callmissed.aws.attributes import Item, to_item
from callmissed.aws.database import Database
from callmissed.aws.dynamodb import ConditionFailed
from callmissed.platform.tables import WALLETS
from callmissed.tenancy.plans import Plan, limits

NO_BUDGET = 10**18
"""Budget of a tenant or key without one: a ceiling in micro-credits that no month can reach."""

ACTIVE = "active"
SERVICES = ("llm", "stt", "tts", "image", "search")


def quota_name(service: str) -> str:
    """Name of the attribute that counts the calls left of `service`."""
    return f"q_{service}"


def quotas(plan: str) -> dict[str, int]:
    """Fresh month counters of `plan`."""
    monthly = limits(Plan(plan)).monthly_quotas
    return {quota_name(service): monthly[service] for service in SERVICES}


def new_wallet(tenant: str, plan: str, month: int) -> Item:
    """A wallet with nothing in it."""
    money = {"av": 0, "gr": 0, "sp": 0, "spt": 0, "bud": NO_BUDGET, "bl": NO_BUDGET}
    return {"id": tenant, "plan": plan, "st": ACTIVE, "mon": month, "h": {}, **money, **quotas(plan)}


def held(wallet: Mapping[str, Any]) -> int:
    """Sum of the holds in micro-credits."""
    return sum(amount for amount, _attempt, _service in wallet["h"].values())


def spent(wallet: Mapping[str, Any]) -> int:
    """Micro-credits spent, all time."""
    return wallet["sp"] + wallet["spt"]


async def turn_month(database: Database, wallet: Mapping[str, Any], month: int) -> None:
    """Start `month`: counters begin anew, and holds in flight count for the new month. Raises Unavailable.

    Does nothing when another call started it first.
    """
    fresh = quotas(wallet["plan"])
    names = {f"#{name}": name for name in fresh}
    values = {f":{name}": left for name, left in fresh.items()}
    counters = ", ".join(f"#{name} = :{name}" for name in fresh)
    request = {
        "TableName": database.name(WALLETS),
        "Key": to_item({"id": wallet["id"]}),
        "UpdateExpression": f"SET mon = :new, spt = spt + sp, bl = bl + sp, sp = :zero, {counters}",
        "ConditionExpression": "mon = :old",
        "ExpressionAttributeNames": names,
        "ExpressionAttributeValues": to_item({":new": month, ":old": wallet["mon"], ":zero": 0, **values}),
    }
    with suppress(ConditionFailed):
        await database.dynamodb.call("UpdateItem", request)
