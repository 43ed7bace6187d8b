"""Damage that no call of the product shows: alarms that see nothing, and work that never starts."""

from collections.abc import Callable
from typing import Any

import pytest

from rehearsal.errors import PlanError
from rehearsal.run import check
from rehearsal.templates.assembly import CloudAssembly
from tests.support.rehearsal.damage import damaged, resources

Properties = dict[str, Any]


def found(assembly: CloudAssembly, kind: str, part: str, change: Callable[[Properties], object]) -> list[str]:
    """What the check says after a `change` of the properties of resources."""

    def damage(copy: CloudAssembly) -> None:
        for siblings, logical_id in resources(copy, kind, part):
            change(siblings[logical_id]["Properties"])

    with pytest.raises(PlanError) as error:
        check(damaged(assembly, damage))
    return list(error.value.problems)


@pytest.mark.parametrize(
    ("part", "dimension"),
    [
        ("Alarminferenceerrors", "FunctionName"),
        ("Alarmcallbacksoldest", "QueueName"),
        ("Alarmapiservererrors", "ApiName"),
        ("AlarmLedgerDrift", "service"),
    ],
)
def test_alarm_watches_what_nobody_makes(stage_assembly: CloudAssembly, part: str, dimension: str) -> None:
    def renamed(properties: Properties) -> None:
        for each in properties["Dimensions"]:
            each["Value"] += "s"

    lines = found(stage_assembly, "AWS::CloudWatch::Alarm", part, renamed)
    assert all(part in line for line in lines)
    assert any(dimension in line for line in lines)


def test_alarm_watches_a_version_that_is_not_live(stage_assembly: CloudAssembly) -> None:
    def other_alias(properties: Properties) -> None:
        for each in properties["Dimensions"]:
            each["Value"] = each["Value"].replace(":live", ":prod")

    [line] = found(stage_assembly, "AWS::CloudWatch::Alarm", "Alarminferenceerrors", other_alias)
    assert "Resource" in line and ":prod" in line


@pytest.mark.parametrize("change", [{"ActionsEnabled": False}, {"AlarmActions": []}])
def test_alarm_that_notifies_nobody(stage_assembly: CloudAssembly, change: Properties) -> None:
    lines = found(stage_assembly, "AWS::CloudWatch::Alarm", "LedgerDrift", lambda properties: properties.update(change))
    assert len(lines) == 1 and "LedgerDrift" in lines[0] and "notifies nobody" in lines[0]


@pytest.mark.parametrize(
    ("kind", "part", "change"),
    [
        ("AWS::Events::Rule", "", {"State": "DISABLED"}),
        ("AWS::Scheduler::Schedule", "holdsweep", {"State": "DISABLED"}),
        ("AWS::Lambda::EventSourceMapping", "outbox", {"Enabled": False}),
    ],
)
def test_source_of_work_that_is_switched_off(
    stage_assembly: CloudAssembly, kind: str, part: str, change: Properties
) -> None:
    lines = found(stage_assembly, kind, part, lambda properties: properties.update(change))
    assert lines
    assert all("is switched off" in line for line in lines)


def test_queue_shows_a_message_again_before_its_function_times_out(stage_assembly: CloudAssembly) -> None:
    """Lambda refuses the mapping, half-way through a deployment."""
    [line] = found(
        stage_assembly,
        "AWS::SQS::Queue",
        "webhookdispatchWork",
        lambda properties: properties.update(VisibilityTimeout=10),
    )
    assert "10 s" in line and "60 s" in line and "webhook-sender" in line
