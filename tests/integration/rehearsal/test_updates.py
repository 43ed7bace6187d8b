"""A second deployment over the first one: what stays, what a caller gets, and what the guide's prune deletes."""

from pathlib import Path

import pytest

from rehearsal.errors import SmokeError, StageError
from rehearsal.runtime.deployment import deployed
from rehearsal.smoke.update import update
from rehearsal.stage.engines import Engines
from rehearsal.stage.prune import prune
from rehearsal.stage.update import update_resources
from rehearsal.templates.assembly import CloudAssembly
from rehearsal.templates.plan import DeploymentPlan, make_plan
from rehearsal.templates.synthesis import STAGE
from tests.support.rehearsal.damage import damaged, resources

VERSION = "AWS::Lambda::Version"


def keeps_no_version(assembly: CloudAssembly) -> None:
    """Let the version before go with the update."""
    for siblings, logical_id in resources(assembly, VERSION):
        siblings[logical_id]["DeletionPolicy"] = "Delete"


async def test_version_that_goes_with_the_update_cuts_a_stream_off(
    stage_assembly: CloudAssembly, updated_assembly: CloudAssembly, engines: Engines, tmp_path: Path
) -> None:
    broken = damaged(stage_assembly, keeps_no_version)
    async with deployed(make_plan(broken), broken, engines, tmp_path) as deployment:
        with pytest.raises(SmokeError, match="stream that ran during the update"):
            await update(deployment, make_plan(updated_assembly), updated_assembly)


def test_prune_leaves_the_live_versions_alone(
    stage_plan: DeploymentPlan, updated_assembly: CloudAssembly, fresh_engines: Engines, tmp_path: Path
) -> None:
    updated = make_plan(updated_assembly)
    assert update_resources(fresh_engines, stage_plan, updated) == []
    prune(fresh_engines, updated, STAGE, tmp_path)


def test_prune_that_leaves_a_version_is_found(
    stage_plan: DeploymentPlan, updated_assembly: CloudAssembly, fresh_engines: Engines, tmp_path: Path
) -> None:
    """The alias did not move: the version before is live, and the newer one stays."""
    updated = make_plan(updated_assembly)
    lambdas = fresh_engines.client("lambda")
    update_resources(fresh_engines, stage_plan, updated)
    for function in updated.of("AWS::Lambda::Function"):
        lambdas.update_alias(FunctionName=function.name, Name="live", FunctionVersion="1")
    with pytest.raises(StageError, match="1200 seconds after the update"):
        prune(fresh_engines, updated, STAGE, tmp_path)
