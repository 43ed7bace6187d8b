"""A tenant's budget holds from the next call on, whichever of its shards the call takes."""

import httpx2

from callmissed.audit.events import Actor, ActorKind
from callmissed.aws.database import Database
from callmissed.clock import system_clock
from callmissed.ledger.shards import shard_of
from callmissed.money import CREDIT, MicroCredits
from callmissed.plans.plans import Plan, limits
from functions.billing.budgets.service import Budgets
from tests.support.inference.gateway import Accounts
from tests.support.inference.upstream import FakeUpstream
from tests.support.inference.wire import embed

CALLS = 12
ADA = Actor(ActorKind.PERSON, "usr_ada")


async def test_next_calls_of_a_tenant_with_shards_meet_its_new_budget(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account = await accounts.account(plan=Plan.ENTERPRISE)
    budgets = Budgets(Database(accounts.dynamodb, accounts.stage))

    async def statuses() -> set[tuple[int, str]]:
        answers = [await embed(client, account) for _ in range(CALLS)]
        return {(answer.status_code, answer.json().get("error", {}).get("code", "")) for answer in answers}

    assert await statuses() == {(200, "")}
    shards = limits(Plan.ENTERPRISE).wallet_shards
    assert len({shard_of(entry["entry"], shards) for entry in await accounts.entries(account.tenant)}) > 1

    spent = (await budgets.get(account.tenant, system_clock())).spent
    for budget in (spent, MicroCredits(0)):
        await budgets.change(account.tenant, budget, ADA, system_clock())
        assert await statuses() == {(402, "budget_exceeded")}
    await budgets.change(account.tenant, MicroCredits(spent + CREDIT), ADA, system_clock())
    assert await statuses() == {(200, "")}
    await budgets.change(account.tenant, None, ADA, system_clock())
    assert await statuses() == {(200, "")}
    assert len(upstream.requests) == 3 * CALLS
