"""The turn of the month by the schedule, for tenants on paid plans; a free tenant's comes with its first call.

A wallet turns under the condition of the month that it was in, so a call and the schedule together turn it once.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Iterable
from dataclasses import dataclass

from callmissed.aws.database import Database
from callmissed.aws.dynamodb import DynamoError
from callmissed.clock import Clock, Micros, month_of
from callmissed.ledger.records import behind_month, start_month, wallet_of
from callmissed.ledger.shards import drain, owner
from callmissed.ledger.wallet import Wallet
from callmissed.platform.tables import WALLETS

_AT_ONCE = 16


@dataclass(slots=True)
class MonthReport:
    """Result of one run: wallets that were behind the month, tenants whose wallets were drained into the first one.

    `finished` is false when time ran out: the next run goes on with the wallets that are still behind.
    """

    behind: int = 0
    drained: int = 0
    finished: bool = True


async def turn_month(
    database: Database, now: Micros, *, clock: Clock, deadline: Micros, at_once: int = _AT_ONCE
) -> MonthReport:
    """Start the month of `now` in every wallet that is behind it, `at_once` at a time, until the `deadline` by `clock`.

    Safe to repeat and to run twice in parallel. A wallet that can't be written does not delay the others; its
    DynamoError is raised at the end. Raises Unavailable when the wallets can't be listed.
    """
    report, month = MonthReport(), month_of(now)
    failures: list[BaseException] = []
    sharded: set[str] = set()
    async for wallets in _behind(database, month, at_once):
        if clock() >= deadline:
            report.finished = False
            break
        failures += await _all(start_month(database, wallet, month) for wallet in wallets)
        report.behind += len(wallets)
        sharded |= {tenant for tenant, shard in (owner(wallet.wallet_id) for wallet in wallets) if shard}

    async def drain_one(tenant: str) -> None:
        report.drained += await drain(database, tenant)

    for tenants in _chunks(sorted(sharded), at_once):
        failures += await _all(map(drain_one, tenants))
    if failures:
        raise failures[0]
    return report


async def _behind(database: Database, month: int, at_once: int) -> AsyncIterator[list[Wallet]]:
    """Wallets that are behind the month, some at a time."""
    some: list[Wallet] = []
    async for item in database.scan(WALLETS, where=behind_month(month)):
        some.append(wallet_of(item))
        if len(some) == at_once:
            yield some
            some = []
    if some:
        yield some


def _chunks(tenants: list[str], size: int) -> Iterable[list[str]]:
    return (tenants[start : start + size] for start in range(0, len(tenants), size))


async def _all(works: Iterable[Awaitable[None]]) -> list[BaseException]:
    """The failures of DynamoDB; every other one is raised."""
    outcomes = await asyncio.gather(*works, return_exceptions=True)
    failures = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
    for failure in failures:
        if not isinstance(failure, DynamoError):
            raise failure
    return failures
