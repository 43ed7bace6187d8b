"""Schedules, what happens to work that fails, and the alarms over all of it."""

import ast
import json
from pathlib import Path
from typing import Any

import pytest

from callmissed.observability import NAMESPACE
from callmissed.platform.functions import FUNCTIONS, SCHEDULES, Schedule
from infra.constructs.bundling import ROOT
from tests.infra.assembly import Assembly

LEDGER_METRICS = {"HoldSweepBacklog", "LedgerDrift", "HoldShortfall", "SettledAfterVoid"}


def alarms(assembly: Assembly) -> dict[str, dict[str, Any]]:
    """Properties of every alarm, by its name within the stage."""
    found = assembly.properties("AWS::CloudWatch::Alarm")
    return {alarm["AlarmName"].removeprefix(f"{assembly.config.service}-"): alarm for alarm in found}


def test_no_schedule_that_is_not_declared(assembly: Assembly) -> None:
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
    assert "Undelivered" in str(target["DeadLetterConfig"]["Arn"])


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


def test_every_queue_is_encrypted_and_refuses_plain_http(assembly: Assembly) -> None:
    queues = list(assembly.resources("AWS::SQS::Queue"))
    assert len(queues) == 1 + len({schedule.function for schedule in SCHEDULES})
    policies = str(assembly.properties("AWS::SQS::QueuePolicy"))
    for _, logical_id, queue in queues:
        assert queue["Properties"]["SqsManagedSseEnabled"] is True
        assert logical_id in policies
    assert policies.count("aws:SecureTransport") == len(queues)


def test_bus_keeps_what_it_cannot_deliver(assembly: Assembly) -> None:
    [bus] = assembly.properties("AWS::Events::EventBus")
    assert bus["Name"] == assembly.config.service
    assert "Undelivered" in str(bus["DeadLetterConfig"])


@pytest.mark.parametrize("function", [function.name for function in FUNCTIONS])
def test_every_function_has_its_alarms(assembly: Assembly, function: str) -> None:
    for kind, metric in (("errors", "Errors"), ("throttles", "Throttles")):
        alarm = alarms(assembly)[f"{function}-{kind}"]
        assert alarm["Namespace"] == "AWS/Lambda"
        assert alarm["MetricName"] == metric
        assert alarm["Threshold"] == 0


def test_every_queue_has_its_alarm(assembly: Assembly) -> None:
    watched = [alarm for alarm in alarms(assembly).values() if alarm["Namespace"] == "AWS/SQS"]
    assert len(watched) == len(list(assembly.resources("AWS::SQS::Queue")))
    assert {alarm["MetricName"] for alarm in watched} == {"ApproximateNumberOfMessagesVisible"}


@pytest.mark.parametrize("metric", sorted(LEDGER_METRICS))
def test_ledger_has_its_alarms(assembly: Assembly, metric: str) -> None:
    alarm = alarms(assembly)[metric]
    assert alarm["Namespace"] == NAMESPACE
    assert alarm["MetricName"] == metric
    assert alarm["Dimensions"] == [{"Name": "service", "Value": assembly.config.service}]


def test_silence_of_the_sweep_is_an_alarm(assembly: Assembly) -> None:
    assert alarms(assembly)["HoldSweepBacklog"]["TreatMissingData"] == "breaching"
    assert alarms(assembly)["LedgerDrift"]["TreatMissingData"] == "ignore"


def test_ledger_alarms_watch_what_the_code_counts() -> None:
    sources = [*ROOT.glob("functions/**/*.py"), *ROOT.glob("layers/core/**/*.py")]
    assert set().union(*map(metrics_counted, sources)) >= LEDGER_METRICS


def metrics_counted(source: Path) -> set[str]:
    """Names given to `observability.count` without dimensions of their own."""
    return {
        str(call.args[0].value)
        for call in ast.walk(ast.parse(source.read_text()))
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Name)
        and call.func.id == "count"
        and call.args
        and isinstance(call.args[0], ast.Constant)
        and not call.keywords
    }


def test_every_alarm_tells_the_operator(assembly: Assembly) -> None:
    [subscription] = assembly.properties("AWS::SNS::Subscription")
    assert subscription["Endpoint"] == assembly.config.alarm_email
    assert all(alarm["AlarmActions"] == [subscription["TopicArn"]] for alarm in alarms(assembly).values())
    [dashboard] = assembly.properties("AWS::CloudWatch::Dashboard")
    assert dashboard["DashboardName"] == assembly.config.service


def test_cloudwatch_may_use_the_topic_key(assembly: Assembly) -> None:
    [key] = assembly.properties("AWS::KMS::Key")
    assert "cloudwatch.amazonaws.com" in str(key["KeyPolicy"])
    assert key["EnableKeyRotation"] is True
