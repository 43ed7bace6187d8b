"""Transfers, removals and deactivations in threads, all at once: somebody watches that there is always one owner."""

import asyncio
import random
import threading
from collections.abc import Awaitable, Callable
from typing import Any

from callmissed.aws.database import Database
from callmissed.aws.dynamodb import DynamoDB, DynamoError
from callmissed.clock import system_clock
from callmissed.errors import ApiError
from callmissed.idempotency.operation import Operation
from callmissed.plans.plans import Plan
from callmissed.platform.routes import Role
from functions.auth.team.invitation import Invitation
from functions.auth.team.service import Team
from local.aws.tables import StageTables
from tests.support.teams import acting, check_addresses, check_owner, found_tenant, snapshot, team_of

Work = Callable[[Team], Awaitable[Any]]


def in_threads(tables: StageTables, works: list[Work]) -> list[str]:
    """Outcome of each of `works`, in a thread and with a client of its own: `done`, or the error's code."""
    outcomes = [""] * len(works)
    start = threading.Barrier(len(works))

    async def attempt(work: Work) -> str:
        dynamodb = DynamoDB("us-east-1", tables.endpoint, timeout_seconds=30.0)
        try:
            await work(team_of(dynamodb, tables.stage))
        except ApiError as refused:
            return refused.code
        except DynamoError:
            return "unavailable"
        finally:
            await dynamodb.close()
        return "done"

    def run(number: int, work: Work) -> None:
        start.wait()
        outcomes[number] = asyncio.run(attempt(work))

    threads = [threading.Thread(target=run, args=(number, work)) for number, work in enumerate(works)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes


class Watcher(threading.Thread):
    """Looks at a tenant again and again, and keeps what was wrong."""

    def __init__(self, tables: StageTables, tenant: str, user_ids: list[str]) -> None:
        super().__init__(daemon=True)
        self.tables, self.tenant, self.user_ids = tables, tenant, user_ids
        self.over = threading.Event()
        self.seen = 0
        self.wrong: list[str] = []

    def run(self) -> None:
        asyncio.run(self._watch())

    async def _watch(self) -> None:
        dynamodb = DynamoDB("us-east-1", self.tables.endpoint, timeout_seconds=30.0)
        database = Database(dynamodb, self.tables.stage)
        while not self.over.is_set():
            try:
                check_owner(await snapshot(database, self.tenant, self.user_ids))
                self.seen += 1
            except DynamoError:
                continue  # a write came between
            except AssertionError as wrong:
                self.wrong.append(str(wrong))
        await dynamodb.close()


async def test_changes_at_once_leave_exactly_one_active_owner(tables: StageTables) -> None:
    dynamodb = DynamoDB("us-east-1", tables.endpoint, timeout_seconds=30.0)
    database, now = Database(dynamodb, tables.stage), system_clock()
    tenant, people = await found_tenant(database, now, 4)
    watcher = Watcher(tables, tenant, people)
    watcher.start()
    outcomes: list[str] = []
    try:
        for seed in range(6):
            owner = check_owner(await snapshot(database, tenant, people))
            works = changes(tenant, people, owner, random.Random(seed))
            outcomes += await asyncio.to_thread(in_threads, tables, works)
    finally:
        watcher.over.set()
        await asyncio.to_thread(watcher.join)

    assert watcher.wrong == []
    assert watcher.seen > 0
    assert "done" in outcomes
    check_owner(await snapshot(database, tenant, people))
    await check_addresses(database, tenant)
    await dynamodb.close()


def changes(tenant: str, people: list[str], owner: str, chance: random.Random) -> list[Work]:
    """The owner hands over to three people at once, while admins deactivate, activate and remove people."""
    now = system_clock()
    others = [user_id for user_id in people if user_id != owner]

    def hand_over(to: str) -> Work:
        return lambda team: team.assign_role(tenant, to, Role.OWNER, acting(owner), now)

    def switch(whom: str, *, active: bool) -> Work:
        return lambda team: team.change(tenant, whom, {"is_active": active}, acting("usr_other"), now)

    def remove(whom: str) -> Work:
        return lambda team: team.remove(tenant, whom, acting("usr_other"), now)

    heirs = chance.sample(others, 3)
    return [
        *(hand_over(to) for to in heirs),
        switch(heirs[0], active=False),
        switch(heirs[0], active=True),
        switch(owner, active=False),
        remove(owner if chance.random() < 0.8 else heirs[1]),
    ]


async def test_of_two_transfers_at_once_one_wins(tables: StageTables) -> None:
    dynamodb = DynamoDB("us-east-1", tables.endpoint, timeout_seconds=30.0)
    database, now = Database(dynamodb, tables.stage), system_clock()
    tenant, (owner, first, second) = await found_tenant(database, now, 2)

    def hand_over(to: str) -> Work:
        return lambda team: team.assign_role(tenant, to, Role.OWNER, acting(owner), now)

    outcomes = await asyncio.to_thread(in_threads, tables, [hand_over(first), hand_over(second)])

    assert sorted(outcomes) == ["done", "permission_denied"]
    winner = check_owner(await snapshot(database, tenant, [owner, first, second]))
    assert winner == (first if outcomes[0] == "done" else second)
    await dynamodb.close()


async def test_seats_taken_at_once_are_no_more_than_there_are(tables: StageTables) -> None:
    dynamodb = DynamoDB("us-east-1", tables.endpoint, timeout_seconds=30.0)
    database, now = Database(dynamodb, tables.stage), system_clock()
    tenant, (owner, *_) = await found_tenant(database, now, 3, Plan.STARTER)

    def invite(name: str) -> Work:
        invitation = Invitation(f"{name}@{tenant.replace('_', '-')}.example.com", "Grace")
        return lambda team: team.invite(tenant, invitation, acting(owner), now, Operation.new())

    outcomes = await asyncio.to_thread(in_threads, tables, [invite(f"grace{number}") for number in range(4)])

    assert sorted(outcomes) == ["done", *["limit_reached"] * 3]
    await check_addresses(database, tenant)
    await dynamodb.close()
