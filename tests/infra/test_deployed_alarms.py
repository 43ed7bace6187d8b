"""The alarms over everything, and whom they notify."""

import ast
import json
import logging
from pathlib import Path
from typing import Any, get_args

import pytest

from callmissed.aws.queues import MAX_DELAY_SECONDS
from callmissed.observability import NAMESPACE, count
from callmissed.platform.functions import AUTHORIZER, FUNCTIONS, SCHEDULES, Function
from callmissed.platform.queues import QUEUES, Queue, physical_queue_name
from callmissed.platform.routes import ROUTES
from infra.bundling.assets import ROOT
from infra.config import StageConfig
from tests.support.assembly import Assembly

FOLLOWERS = [function for function in FUNCTIONS if function.follows]
MONEY_METRICS = {
    "HoldSweepBacklog",
    "LedgerDrift",
    "HoldShortfall",
    "SettledAfterVoid",
    "RunawayReply",
    "PaymentMismatch",
    "PaymentDisputed",
    "RefundFailed",
    "RefundMismatch",
    "SubscriptionSweepFailures",
}


def alarms(assembly: Assembly) -> dict[str, dict[str, Any]]:
    """Properties of every alarm, by its name within the stage."""
    found = assembly.properties("AWS::CloudWatch::Alarm")
    return {alarm["AlarmName"].removeprefix(f"{assembly.config.service}-"): alarm for alarm in found}


def watched(assembly: Assembly, function: Function) -> set[str]:
    """Names of the alarms that go off when `function` fails for good, or can't run."""
    found = {"throttles"}
    if function.name in {route.function for route in ROUTES}:
        found.add("api-server-errors")
    if function.web_app:
        found.add(f"{function.name}-errors")
    if function is AUTHORIZER:
        found.add("api-server-errors")
    if function.follows:
        found |= {f"{function.name}-lag", f"{function.name}-dead-letters"}
    if function.name in {schedule.function for schedule in SCHEDULES}:
        found.add(f"{function.name}-dead-letters")
    for queue in QUEUES:
        if queue.consumer == function.name:
            found |= {f"{queue.name}-oldest", f"{queue.name}-dead-letters"}
    return found


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.name)
def test_function_that_fails_for_good_sets_off_an_alarm(assembly: Assembly, function: Function) -> None:
    """A worker's single error does not: its work comes again."""
    assert len(watched(assembly, function)) > 1
    assert watched(assembly, function) <= alarms(assembly).keys()


def test_failures_of_every_worker_are_kept_where_an_alarm_looks(assembly: Assembly) -> None:
    """Instead of an alarm on its errors: what a worker fails on every try becomes a dead letter."""
    kept = {
        assembly.text(stack, destination)
        for kind in ("AWS::Lambda::EventInvokeConfig", "AWS::Lambda::EventSourceMapping")
        for stack, _, resource in assembly.resources(kind)
        if (destination := resource["Properties"].get("DestinationConfig", {}).get("OnFailure", {}).get("Destination"))
    }
    redrives = [queue["RedrivePolicy"] for queue in assembly.properties("AWS::SQS::Queue") if "RedrivePolicy" in queue]
    given_up = {assembly.text("events", redrive["deadLetterTargetArn"]) for redrive in redrives}
    assert len(kept) >= 6
    assert kept | given_up <= watched_queues(assembly, "ApproximateNumberOfMessagesVisible")


@pytest.mark.parametrize("route", sorted({route.function for route in ROUTES if route.streaming}))
def test_function_that_streams_has_an_alarm_on_errors(assembly: Assembly, route: str) -> None:
    """A stream that breaks off was a 200 for API Gateway; every other failure is a 5xx of the API."""
    alarm = alarms(assembly)[f"{route}-errors"]
    assert (alarm["Namespace"], alarm["MetricName"], alarm["Threshold"]) == ("AWS/Lambda", "Errors", 0)
    name = f"{assembly.config.service}-{route}"
    assert {each["Name"]: each["Value"] for each in alarm["Dimensions"]} == {
        "FunctionName": name,
        "Resource": f"{name}:live",
    }


def test_one_alarm_is_on_the_throttles_of_the_account(assembly: Assembly) -> None:
    """All functions share its concurrency, so the one that is throttled is not the one to blame."""
    alarm = alarms(assembly)["throttles"]
    assert (alarm["Namespace"], alarm["MetricName"], alarm["Threshold"]) == ("AWS/Lambda", "Throttles", 0)
    assert "Dimensions" not in alarm


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


@pytest.mark.parametrize("metric", sorted(MONEY_METRICS))
def test_money_has_its_alarms(assembly: Assembly, metric: str) -> None:
    alarm = alarms(assembly)[metric]
    assert alarm["Namespace"] == NAMESPACE
    assert alarm["MetricName"] == metric
    assert alarm["Dimensions"] == [{"Name": "service", "Value": assembly.config.service}]


def test_sweep_that_does_not_run_raises_an_alarm(assembly: Assembly) -> None:
    assert alarms(assembly)["HoldSweepBacklog"]["TreatMissingData"] == "breaching"
    assert alarms(assembly)["LedgerDrift"]["TreatMissingData"] == "ignore"


def test_alarms_about_money_watch_what_the_code_counts() -> None:
    sources = [*ROOT.glob("functions/**/*.py"), *ROOT.glob("layers/*/python/**/*.py")]
    assert set().union(*map(metrics_counted, sources)) >= MONEY_METRICS


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


def test_no_log_level_of_a_stage_drops_the_metrics(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lambda takes a line without a level for one of level INFO, and drops lines below a function's level.

    https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-log-level.html
    """
    monkeypatch.setenv("POWERTOOLS_METRICS_DISABLED", "false")
    count("LedgerDrift")
    line = json.loads(capsys.readouterr().out)
    assert line["_aws"] and "level" not in line
    levels = get_args(StageConfig.model_fields["log_level"].annotation)
    assert levels
    assert [level for level in levels if logging.getLevelNamesMapping()[level] > logging.INFO] == []


def test_every_alarm_notifies_the_operator(assembly: Assembly) -> None:
    [subscription] = assembly.properties("AWS::SNS::Subscription")
    assert subscription["Endpoint"] == assembly.config.alarm_email
    assert all(alarm["AlarmActions"] == [subscription["TopicArn"]] for alarm in alarms(assembly).values())
    [dashboard] = assembly.properties("AWS::CloudWatch::Dashboard")
    assert dashboard["DashboardName"] == assembly.config.service


def test_topic_has_no_key_that_would_keep_cloudwatch_out(assembly: Assembly) -> None:
    """The policy that lets CloudWatch publish is one of the edges in test_service_edges.py."""
    [topic] = assembly.properties("AWS::SNS::Topic")
    assert "KmsMasterKeyId" not in topic
    assert assembly.properties("AWS::KMS::Key") == []


def test_topic_refuses_plain_http(assembly: Assembly) -> None:
    [policy] = assembly.properties("AWS::SNS::TopicPolicy")
    denied = [statement for statement in policy["PolicyDocument"]["Statement"] if statement["Effect"] == "Deny"]
    assert [statement["Condition"] for statement in denied] == [{"Bool": {"aws:SecureTransport": "false"}}]


def test_dashboard_is_one_of_those_that_are_free(assembly: Assembly) -> None:
    """Each account has three dashboards of up to 50 metrics for nothing."""
    [board] = assembly.properties("AWS::CloudWatch::Dashboard")
    widgets = json.loads(assembly.text("observability", board["DashboardBody"]))["widgets"]
    assert 30 < sum(len(widget["properties"].get("metrics", [])) for widget in widgets) <= 50
