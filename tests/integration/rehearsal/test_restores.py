"""The stand-in for backups, and the guide's restore against it."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from rehearsal.errors import StageError
from rehearsal.stage import restore as steps
from rehearsal.stage.aws_command import run_command
from rehearsal.stage.engines import Engines
from rehearsal.stage.guide import commands_of
from rehearsal.stage.restore import record, restore
from rehearsal.templates.plan import DeploymentPlan
from rehearsal.templates.synthesis import STAGE

WALLETS = f"callmissed-{STAGE}-wallets"


def written(engines: Engines, plan: DeploymentPlan, text: str) -> None:
    """Write one item into the wallets."""
    [table] = [table for table in plan.of("AWS::DynamoDB::Table") if table.name == WALLETS]
    keys = {each["AttributeName"]: {"S": "k"} for each in table.properties["KeySchema"]}
    engines.client("dynamodb").put_item(TableName=WALLETS, Item={**keys, "text": {"S": text}})


def texts(engines: Engines, table: str = WALLETS) -> list[str]:
    return [item["text"]["S"] for item in engines.client("dynamodb").scan(TableName=table)["Items"]]


def test_guide_restores_what_the_tables_held(
    stage_plan: DeploymentPlan, fresh_engines: Engines, tmp_path: Path
) -> None:
    written(fresh_engines, stage_plan, "before")
    moment = record(fresh_engines, stage_plan)
    written(fresh_engines, stage_plan, "after")
    restore(fresh_engines, stage_plan, STAGE, tmp_path, moment)
    assert texts(fresh_engines) == ["before"]


def test_table_is_not_restored_to_a_moment_before_its_first(stage_plan: DeploymentPlan, fresh_engines: Engines) -> None:
    moment = record(fresh_engines, stage_plan) - timedelta(seconds=1)
    words = ["dynamodb", "restore-table-to-point-in-time", "--source-table-name", WALLETS, "--target-table-name", "x"]
    answer = run_command(fresh_engines, [*words, "--restore-date-time", moment.isoformat()])
    assert (answer.status, "InvalidRestoreTime" in answer.error) == (254, True)


FORGOTTEN = {
    "--deletion-protection-enabled": "is not protected",
    "--point-in-time-recovery-specification": "has no point-in-time recovery",
    "--stream-specification": "has no stream",
    "delete-table --table-name callmissed-rehearsal-$table-restored": "is left",
    "delete-function-concurrency": "may not run",
}
"""Steps of the guide, and what a restore without each says at its end."""


def forget(monkeypatch: pytest.MonkeyPatch, *steps_forgotten: str) -> None:
    """Let the guide lack the steps."""

    def without_steps(*given: Any) -> list[str]:
        blocks = [block.replace("\\\n", "") for block in commands_of(*given)]
        for step in steps_forgotten:
            assert any(step in block for block in blocks)
        kept = [
            [":" if any(step in line for step in steps_forgotten) else line for line in block.splitlines()]
            for block in blocks
        ]
        return ["\n".join(lines) for lines in kept]

    monkeypatch.setattr(steps, "commands_of", without_steps)


def test_restore_says_which_steps_the_guide_forgets(
    monkeypatch: pytest.MonkeyPatch, stage_plan: DeploymentPlan, fresh_engines: Engines, tmp_path: Path
) -> None:
    """No step's check looks at what another step does, so one restore lacks all of them."""
    forget(monkeypatch, *FORGOTTEN)
    with pytest.raises(StageError) as raised:
        restore(fresh_engines, stage_plan, STAGE, tmp_path, record(fresh_engines, stage_plan))
    _, *problems = str(raised.value).splitlines()
    said = {next((says for says in FORGOTTEN.values() if problem.endswith(says)), problem) for problem in problems}
    assert said == {*FORGOTTEN.values()}


def test_table_that_is_being_restored_is_waited_for(
    monkeypatch: pytest.MonkeyPatch, stage_plan: DeploymentPlan, fresh_engines: Engines, tmp_path: Path
) -> None:
    forget(monkeypatch, "wait table-exists --table-name $name-restored")
    with pytest.raises(StageError, match="is being restored"):
        restore(fresh_engines, stage_plan, STAGE, tmp_path, record(fresh_engines, stage_plan))
