"""Schedules, and what happens to their work that fails."""

import json

import pytest

from callmissed.platform.functions import SCHEDULES, Schedule
from tests.support.assembly import Assembly


def test_template_has_no_schedule_that_is_not_declared(assembly: Assembly) -> None:
    deployed = {schedule["Name"] for schedule in assembly.properties("AWS::Scheduler::Schedule")}
    assert deployed == {schedule.name for schedule in SCHEDULES}


@pytest.mark.parametrize("declared", SCHEDULES, ids=lambda schedule: schedule.name)
def test_schedule_invokes_its_function_with_the_time(assembly: Assembly, declared: Schedule) -> None:
    [schedule] = [entry for entry in assembly.properties("AWS::Scheduler::Schedule") if entry["Name"] == declared.name]
    resources = assembly.templates["workers"]["Resources"]
    assert schedule["ScheduleExpression"] == declared.expression
    assert schedule["State"] == "ENABLED"
    target = schedule["Target"]
    alias = resources[target["Arn"]["Ref"]]["Properties"]
    function = resources[alias["FunctionName"]["Ref"]]["Properties"]["FunctionName"]
    assert function.endswith(f"-{declared.function}")
    assert json.loads(target["Input"]) == {"schedule": declared.name, "at": "<aws.scheduler.scheduled-time>"}
    kept = assembly.text("workers", target["DeadLetterConfig"]["Arn"])
    assert kept == f"{assembly.config.service}-undelivered"


def test_scheduled_work_that_fails_is_kept(assembly: Assembly) -> None:
    resources = assembly.templates["workers"]["Resources"]
    kept = {
        resources[config["FunctionName"]["Ref"]]["Properties"]["FunctionName"]: config
        for config in assembly.properties("AWS::Lambda::EventInvokeConfig")
    }
    for function in {schedule.function for schedule in SCHEDULES}:
        config = kept[f"{assembly.config.service}-{function}"]
        queue = config["DestinationConfig"]["OnFailure"]["Destination"]["Fn::GetAtt"][0]
        assert resources[queue]["Properties"]["MessageRetentionPeriod"] == 14 * 24 * 3600
        qualified = config["Qualifier"]["Fn::Select"][1]["Fn::Split"][1]["Ref"]
        assert resources[qualified]["Type"] == "AWS::Lambda::Alias"
