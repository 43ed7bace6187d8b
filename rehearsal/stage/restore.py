"""Everything goes back to one moment, as the operator's guide says, with a stand-in for DynamoDB's backups."""

import re
from datetime import UTC, datetime
from pathlib import Path

from local.aws.account import ACCOUNT, REGION
from rehearsal.errors import StageError
from rehearsal.stage.engines import Engines
from rehearsal.stage.guide import commands_of, run_block
from rehearsal.templates.plan import DeploymentPlan

_SECTION = "Restore"
_ONE_TABLE = 1
"""Blocks at the head of the section that are for a few items only."""
_MOMENT = re.compile(r"(?<=--restore-date-time )\S+")
_SUFFIX = "-restored"


def record(engines: Engines, plan: DeploymentPlan) -> datetime:
    """Make the present a moment to which tables can be restored."""
    moment = datetime.now(UTC)
    engines.backups.record([table.name for table in plan.of("AWS::DynamoDB::Table")], moment)
    return moment


def restore(engines: Engines, plan: DeploymentPlan, stage: str, folder: Path, moment: datetime) -> None:
    """Follow the guide, while nothing runs, to the `moment` that was recorded.

    Raises StageError when a command fails, or a table lacks afterwards what its template sets.
    """
    for block in commands_of(_SECTION, stage, ACCOUNT, REGION)[_ONE_TABLE:]:
        run_block(_MOMENT.sub(moment.isoformat(), block), engines, folder)
    if problems := [*_lost(engines, plan), *_left(engines), *_stopped(engines, plan)]:
        raise StageError("\n".join(["after the guide's restore:", *problems]))


def _lost(engines: Engines, plan: DeploymentPlan) -> list[str]:
    found: list[str] = []
    for table in plan.of("AWS::DynamoDB::Table"):
        now = engines.client("dynamodb").describe_table(TableName=table.name)["Table"]
        if "StreamSpecification" in table.properties and not now.get("StreamSpecification", {}).get("StreamEnabled"):
            found.append(f"{table.name} has no stream")
        if table.properties.get("DeletionProtectionEnabled") and not now.get("DeletionProtectionEnabled"):
            found.append(f"{table.name} is not protected")
        if engines.backups.was_restored(table.name) and not engines.backups.recovers(table.name):
            found.append(f"{table.name} has no point-in-time recovery")
    return found


def _left(engines: Engines) -> list[str]:
    names = engines.client("dynamodb").list_tables()["TableNames"]
    return [f"{name} is left" for name in names if name.endswith(_SUFFIX)]


def _stopped(engines: Engines, plan: DeploymentPlan) -> list[str]:
    lambdas = engines.client("lambda")
    names = [function.name for function in plan.of("AWS::Lambda::Function")]
    kept = {name: lambdas.get_function_concurrency(FunctionName=name) for name in names}
    return [f"{name} may not run" for name, found in kept.items() if found.get("ReservedConcurrentExecutions") == 0]
