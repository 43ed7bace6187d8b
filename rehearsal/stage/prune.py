"""Versions that an update left are deleted as the guide says, and not before the last call on them has ended."""

from pathlib import Path

from local.aws.account import ACCOUNT, REGION
from rehearsal.errors import StageError
from rehearsal.stage.engines import Engines
from rehearsal.stage.guide import commands_of, run_block
from rehearsal.stage.lambdas import published
from rehearsal.templates.plan import DeploymentPlan

_SECTION = "Deploy"
_COMMAND = "callmissed versions prune"
_IDLE_SECONDS = 20 * 60
"""How long the guide says that a call may run on a version before."""


def prune(engines: Engines, plan: DeploymentPlan, stage: str, folder: Path) -> None:
    """Follow the guide at once and 20 minutes later.

    Raises StageError when a version that may still have calls is gone, or one of before the update is left.
    """
    blocks = [block for block in commands_of(_SECTION, stage, ACCOUNT, REGION) if block.startswith(_COMMAND)]
    if not blocks:
        raise StageError(f"the guide never says '{_COMMAND}'")
    before = _published(engines, plan)
    for ahead, wanted in ((0, before), (_IDLE_SECONDS, _planned(plan))):
        for block in blocks:
            run_block(block, engines, folder, ahead=ahead)
        if (left := _published(engines, plan)) != wanted:
            raise StageError(f"versions {ahead} seconds after the update: {left}, but should be {wanted}")


def _published(engines: Engines, plan: DeploymentPlan) -> dict[str, set[str]]:
    return {each.name: {*published(engines, each.name)} for each in plan.of("AWS::Lambda::Function")}


def _planned(plan: DeploymentPlan) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for version in plan.of("AWS::Lambda::Version"):
        found.setdefault(version.properties["FunctionName"], set()).add(version.logical_id)
    return found
