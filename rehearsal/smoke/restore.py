"""A stage goes back to a moment: money that was spent since is there again, and so is a key that was revoked since."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import aiohttp

from callmissed.clock import system_clock
from callmissed.ledger.queries import balance
from local.state.seed import SeededTenant
from rehearsal.errors import SmokeError
from rehearsal.runtime.deployment import Deployment
from rehearsal.smoke.operator import StageOperator, operating
from rehearsal.smoke.product import CHAT, ApiClient, asking
from rehearsal.stage.restore import record

_RECONCILE = "ledger-reconcile"


@dataclass(frozen=True, slots=True)
class RestorePoint:
    """A tenant as it was at `moment`."""

    moment: datetime
    tenant: SeededTenant
    spent: int


async def spend(deployment: Deployment) -> RestorePoint:
    """Make a restore point; after it, a tenant pays for a call and its key is revoked."""
    async with operating(deployment.engines) as operator, aiohttp.ClientSession() as session:
        caller = ApiClient(session, deployment.url, await operator.create_tenant())
        await caller.call("POST", CHAT, asking("Before"))
        tenant = caller.tenant.tenant
        point = RestorePoint(record(deployment.engines, deployment.plan), caller.tenant, await _spent(operator, tenant))
        await caller.call("POST", CHAT, asking("After"))
        if await _spent(operator, tenant) == point.spent:
            raise SmokeError("a call cost nothing, so a restore can't be seen")
        await operator.revoke_keys(tenant)
        await caller.call("POST", CHAT, asking("Revoked"), expected=401)
    return point


async def check_restored(deployment: Deployment, point: RestorePoint) -> None:
    """Raise SmokeError unless wallet, key and ledger are as of the restore point, and the stage works on."""
    async with operating(deployment.engines) as operator, aiohttp.ClientSession() as session:
        if (spent := await _spent(operator, point.tenant.tenant)) != point.spent:
            raise SmokeError(f"the restored wallet has spent {spent}, but had {point.spent}")
        found = await _reconciled(deployment)
        if found["drifts"] or not found["tenants"]:
            raise SmokeError(f"restored wallets disagree with their entries: {found}")
        await ApiClient(session, deployment.url, point.tenant).call("POST", CHAT, asking("Again"))


async def _spent(operator: StageOperator, tenant: str) -> int:
    return (await balance(operator.database, tenant, system_clock())).spent_ever


async def _reconciled(deployment: Deployment) -> dict[str, Any]:
    schedules = deployment.plan.of("AWS::Scheduler::Schedule")
    [nightly] = [each for each in schedules if each.name.endswith(_RECONCILE)]
    return await deployment.run_schedule(nightly, datetime.now().astimezone().isoformat())
