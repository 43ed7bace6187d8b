"""Schedules, what happens to their work that fails, and the alarms over everything."""

import ast
import json
from pathlib import Path
from typing import Any

import pytest

from callmissed.aws.queues import MAX_DELAY_SECONDS
from callmissed.observability import NAMESPACE
from callmissed.platform.functions import AUTHORIZER, FUNCTIONS, SCHEDULES, Function, Schedule
from callmissed.platform.queues import QUEUES, Queue, physical_queue_name
from infra.bundling.assets import ROOT
from tests.support.assembly import Assembly

FOLLOWERS = [function for function in FUNCTIONS if function.follows]
LEDGER_METRICS = {"HoldSweepBacklog", "LedgerDrift", "HoldShortfall", "SettledAfterVoid", "RunawayReply"}


def alarms(assembly: Assembly) -> dict[str, dict[str, Any]]:
    """Properties of every alarm, by its name within the stage."""
    found = assembly.properties("AWS::CloudWatch::Alarm")
    return {alarm["AlarmName"].removeprefix(f"{assembly.config.service}-"): alarm for alarm in found}


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


@pytest.mark.parametrize("function", [function.name for function in FUNCTIONS])
def test_every_function_has_its_alarms(assembly: Assembly, function: str) -> None:
    kinds = {"throttles": "Throttles"} | ({"errors": "Errors"} if function != AUTHORIZER.name else {})
    for kind, metric in kinds.items():
        alarm = alarms(assembly)[f"{function}-{kind}"]
        assert alarm["Namespace"] == "AWS/Lambda"
        assert alarm["MetricName"] == metric
        assert alarm["Threshold"] == 0


def test_refused_keys_raise_no_alarm(assembly: Assembly) -> None:
    """The authorizer says 401 by an error; where it really fails, API Gateway answers 503."""
    assert f"{AUTHORIZER.name}-errors" not in alarms(assembly)
    assert alarms(assembly)["api-server-errors"]["MetricName"] == "5XXError"


def test_every_queue_has_its_alarm(assembly: Assembly) -> None:
    work = {physical_queue_name(assembly.config.stage, queue.name) for queue in QUEUES}
    every = {queue["QueueName"] for queue in assembly.properties("AWS::SQS::Queue")}
    assert watched_queues(assembly, "ApproximateNumberOfMessagesVisible") == every - work
    assert watched_queues(assembly, "ApproximateAgeOfOldestMessage") == work


def watched_queues(assembly: Assembly, metric: str) -> set[str]:
    """Names of the queues over which there is an alarm on that metric."""
    watching = [alarm for alarm in alarms(assembly).values() if alarm["MetricName"] == metric]
    queues = [alarm["Dimensions"][0]["Value"] for alarm in watching]
    return {assembly.text("observability", queue).removesuffix(".QueueName") for queue in queues}


@pytest.mark.parametrize("queue", QUEUES, ids=lambda queue: queue.name)
def test_delayed_messages_raise_no_alarm(assembly: Assembly, queue: Queue) -> None:
    alarm = alarms(assembly)[f"{queue.name}-oldest"]
    on_purpose = 0 if queue.rules else MAX_DELAY_SECONDS
    assert alarm["Threshold"] > on_purpose + 2 * queue.visibility_seconds


@pytest.mark.parametrize("function", FOLLOWERS, ids=lambda function: function.name)
def test_every_stream_has_its_alarm(assembly: Assembly, function: Function) -> None:
    alarm = alarms(assembly)[f"{function.name}-lag"]
    assert (alarm["Namespace"], alarm["MetricName"]) == ("AWS/Lambda", "IteratorAge")
    assert {dimension["Name"] for dimension in alarm["Dimensions"]} == {"FunctionName", "Resource"}


@pytest.mark.parametrize("metric", sorted(LEDGER_METRICS))
def test_ledger_has_its_alarms(assembly: Assembly, metric: str) -> None:
    alarm = alarms(assembly)[metric]
    assert alarm["Namespace"] == NAMESPACE
    assert alarm["MetricName"] == metric
    assert alarm["Dimensions"] == [{"Name": "service", "Value": assembly.config.service}]


def test_sweep_that_does_not_run_raises_an_alarm(assembly: Assembly) -> None:
    assert alarms(assembly)["HoldSweepBacklog"]["TreatMissingData"] == "breaching"
    assert alarms(assembly)["LedgerDrift"]["TreatMissingData"] == "ignore"


def test_ledger_alarms_watch_what_the_code_counts() -> None:
    sources = [*ROOT.glob("functions/**/*.py"), *ROOT.glob("layers/*/python/**/*.py")]
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


def test_every_alarm_notifies_the_operator(assembly: Assembly) -> None:
    [subscription] = assembly.properties("AWS::SNS::Subscription")
    assert subscription["Endpoint"] == assembly.config.alarm_email
    assert all(alarm["AlarmActions"] == [subscription["TopicArn"]] for alarm in alarms(assembly).values())
    [dashboard] = assembly.properties("AWS::CloudWatch::Dashboard")
    assert dashboard["DashboardName"] == assembly.config.service


def test_cloudwatch_may_use_the_topic_key(assembly: Assembly) -> None:
    [key] = assembly.properties("AWS::KMS::Key")
    assert "cloudwatch.amazonaws.com" in str(key["KeyPolicy"])
    assert key["EnableKeyRotation"] is True
