"""One rehearsal: deploy, use, tear down; and once more from the start in the same account."""

import asyncio
import time
from collections.abc import Callable
from contextlib import contextmanager
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
from rehearsal.stage.engines import Engines, create_resources, running_engines
from rehearsal.stage.tear_down import roll_back, tear_down
from rehearsal.templates.assembly import CloudAssembly, read_assembly
from rehearsal.templates.plan import DeploymentPlan, make_plan
from rehearsal.templates.synthesis import STAGE, VARIANTS, synthesise

if TYPE_CHECKING:
    from collections.abc import Generator

Report = Callable[[str], object]
_DATA_SERVICES = {"dynamodb", "events", "s3", "secretsmanager", "sqs", "ssm"}


def rehearse(folder: Path, report: Report) -> None:
    """Synthesise into `folder` and rehearse every variant, one after the other in one account.

    Raises RehearsalError, EngineError.
    """
    assemblies = folder / "cdk.out"
    with _step("synthesis", report):
        synthesise(assemblies, *VARIANTS)
    with running_engines(folder / "logs") as engines:
        for number, variant in enumerate(VARIANTS):
            assembly = read_assembly(assemblies / variant)
            plan = check(assembly)
            report(f"{variant}: {len(plan.resources)} resources, {len(list(edges(plan)))} edges between services")
            if number == 0:
                with _step("  failed first deployment", report):
                    create_resources(engines, plan)
                    roll_back(engines, plan, STAGE, folder)
            _round(plan, assembly, engines, folder / variant, report)


def check(assembly: CloudAssembly) -> DeploymentPlan:
    """The plan. Raises PlanError for references that lead nowhere, edges that no policy allows, and what is silent."""
    plan = make_plan(assembly)
    if problems := [*dangling_references(plan), *refused_edges(plan), *silent_resources(plan)]:
        raise PlanError(problems)
    return plan


def _round(plan: DeploymentPlan, assembly: CloudAssembly, engines: Engines, folder: Path, report: Report) -> None:
    with _step("  create", report):
        create_resources(engines, plan)
    with _step("  smoke", report):
        asyncio.run(_use(plan, assembly, engines, folder, report))
    with _step("  tear down", report):
        tear_down(engines, plan, STAGE, folder)


async def _use(plan: DeploymentPlan, assembly: CloudAssembly, engines: Engines, folder: Path, report: Report) -> None:
    async with deployed(plan, assembly, engines, folder) as deployment:
        await smoke(deployment)
        report(f"    {len(deployment.environments)} functions called, {_rights(deployment)}")


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
