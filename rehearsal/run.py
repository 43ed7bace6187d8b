"""One rehearsal: deploy, use, update, restore, tear down; and once more from the start in the same account."""

import asyncio
import time
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rehearsal.access.edges import edges, refused_edges
from rehearsal.access.gate import unused_rights
from rehearsal.access.references import dangling_references
from rehearsal.access.roles import policies_of
from rehearsal.access.silence import silent_resources
from rehearsal.errors import PlanError
from rehearsal.runtime.deployment import Deployment, deployed
from rehearsal.smoke.product import smoke
from rehearsal.smoke.restore import check_restored, spend
from rehearsal.smoke.update import update
from rehearsal.stage.engines import Engines, create_resources, running_engines
from rehearsal.stage.prune import prune
from rehearsal.stage.restore import restore
from rehearsal.stage.tear_down import roll_back, tear_down
from rehearsal.templates.assembly import CloudAssembly, read_assembly
from rehearsal.templates.plan import DeploymentPlan, make_plan
from rehearsal.templates.synthesis import STAGE, VARIANTS, synthesise

if TYPE_CHECKING:
    from collections.abc import Generator

Report = Callable[[str], object]
_DATA_SERVICES = {"dynamodb", "events", "s3", "secretsmanager", "sqs", "ssm"}


@dataclass(frozen=True, slots=True)
class _Variant:
    name: str
    plan: DeploymentPlan
    assembly: CloudAssembly


def rehearse(folder: Path, report: Report) -> None:
    """Synthesise into `folder` and rehearse every variant, one after the other in one account.

    Raises RehearsalError, EngineError.
    """
    assemblies = folder / "cdk.out"
    with _step("synthesis", report):
        synthesise(assemblies, *VARIANTS)
    with running_engines(folder / "logs") as engines:
        first, second, updated = (_read(assemblies, variant, report) for variant in VARIANTS)
        with _step("failed first deployment", report):
            create_resources(engines, first.plan)
            roll_back(engines, first.plan, STAGE, folder)
        for variant, update in ((first, None), (second, updated)):
            report(f"{variant.name}:")
            _round(variant, update, engines, folder / variant.name, report)


def check(assembly: CloudAssembly) -> DeploymentPlan:
    """The plan. Raises PlanError for references that lead nowhere, edges that no policy allows, and what is silent."""
    plan = make_plan(assembly)
    if problems := [*dangling_references(plan), *refused_edges(plan), *silent_resources(plan)]:
        raise PlanError(problems)
    return plan


def _read(assemblies: Path, name: str, report: Report) -> _Variant:
    assembly = read_assembly(assemblies / name)
    plan = check(assembly)
    report(f"{name}: {len(plan.resources)} resources, {len(list(edges(plan)))} edges between services")
    return _Variant(name, plan, assembly)


def _round(variant: _Variant, updated: _Variant | None, engines: Engines, folder: Path, report: Report) -> None:
    with _step("  create", report):
        create_resources(engines, variant.plan)
    asyncio.run(_use(variant, engines, folder, report, updated))
    last = updated or variant
    with _step("  tear down", report):
        tear_down(engines, last.plan, STAGE, folder)


async def _use(variant: _Variant, engines: Engines, folder: Path, report: Report, updated: _Variant | None) -> None:
    async with deployed(variant.plan, variant.assembly, engines, folder) as deployment:
        with _step("  smoke", report):
            await smoke(deployment)
        report(f"    {len(deployment.environments)} functions called, {_rights(deployment)}")
        if updated is None:
            return
        with _step("  update", report):
            await update(deployment, updated.plan, updated.assembly)
        point = await spend(deployment)
    with _step("  prune", report):
        await asyncio.to_thread(prune, engines, updated.plan, STAGE, folder)
    with _step("  restore", report):
        await asyncio.to_thread(restore, engines, updated.plan, STAGE, folder, point.moment)
        async with deployed(updated.plan, updated.assembly, engines, folder) as deployment:
            await check_restored(deployment, point)


def _rights(deployment: Deployment) -> str:
    functions = deployment.plan.of("AWS::Lambda::Function")
    roles = {function.name: function.properties["Role"] for function in functions}
    unused = unused_rights(policies_of(deployment.plan), roles, deployment.gate.used, _DATA_SERVICES)
    return f"{len(deployment.gate.used)} actions on resources used, none refused, {len(unused)} granted and not used"


@contextmanager
def _step(name: str, report: Report) -> "Generator[None]":
    begun = time.monotonic()
    yield
    report(f"{name}: {time.monotonic() - begun:.1f} s")
