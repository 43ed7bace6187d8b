"""The bus, the queues, and what calls their consumers and the followers of tables."""

from typing import Any

import pytest

from callmissed.platform.functions import FUNCTIONS, SCHEDULES, Function
from callmissed.platform.queues import DISPATCH, QUEUES, Queue, physical_queue_name
from callmissed.platform.resources import EVENT_BUS
from callmissed.platform.tables import TABLES, physical_name
from tests.support.assembly import Assembly

FUNCTION_BY_NAME = {function.name: function for function in FUNCTIONS}
TABLE_BY_NAME = {table.name: table for table in TABLES}
FOLLOWERS = [function for function in FUNCTIONS if function.follows]
EACH = pytest.mark.parametrize("queue", QUEUES, ids=lambda queue: queue.name)
EACH_FOLLOWER = pytest.mark.parametrize("function", FOLLOWERS, ids=lambda function: function.name)
DAY = 24 * 3600


def deployed_queue(assembly: Assembly, name: str) -> dict[str, Any]:
    """Properties of the queue with that physical name."""
    [found] = [queue for queue in assembly.properties("AWS::SQS::Queue") if queue["QueueName"] == name]
    return found


def mappings(assembly: Assembly) -> dict[str, tuple[str, dict[str, Any]]]:
    """By the name of what calls: the function's logical alias with its qualifier, and the mapping's properties."""
    found: dict[str, tuple[str, dict[str, Any]]] = {}
    for stack, _, mapping in assembly.resources("AWS::Lambda::EventSourceMapping"):
        properties = mapping["Properties"]
        select, qualifier = properties["FunctionName"]["Fn::Join"][1]
        alias = assembly.templates[stack]["Resources"][select["Fn::Select"][1]["Fn::Split"][1]["Ref"]]
        function = alias["Properties"]["FunctionName"]["Ref"]
        name = assembly.templates[stack]["Resources"][function]["Properties"]["FunctionName"]
        found[assembly.text(stack, properties["EventSourceArn"])] = (name + qualifier, properties)
    return found


def senders(assembly: Assembly, queue: str) -> set[str]:
    """Names of the bus and the rules that the queue's policy lets send to it."""
    return {
        assembly.text("events", statement["Condition"]["ArnEquals"]["aws:SourceArn"])
        for policy in assembly.properties("AWS::SQS::QueuePolicy")
        for statement in policy["PolicyDocument"]["Statement"]
        if statement["Effect"] == "Allow" and assembly.text("events", statement["Resource"]) == queue
    }


def test_nothing_calls_a_function_that_is_not_declared_to(assembly: Assembly) -> None:
    stage = assembly.config.stage
    queues = {physical_queue_name(stage, queue.name) for queue in QUEUES}
    streams = {
        f"{physical_name(stage, TABLE_BY_NAME[function.follows])}.StreamArn"
        for function in FOLLOWERS
        if function.follows
    }
    assert set(mappings(assembly)) == queues | streams


@EACH
def test_queue_gives_up_after_the_declared_tries_and_keeps_what_failed(assembly: Assembly, queue: Queue) -> None:
    stage = assembly.config.stage
    work = deployed_queue(assembly, physical_queue_name(stage, queue.name))
    dead = deployed_queue(assembly, physical_queue_name(stage, queue.dead_letters))
    redrive = work["RedrivePolicy"]
    assert redrive["maxReceiveCount"] == queue.tries
    assert assembly.text("events", redrive["deadLetterTargetArn"]) == dead["QueueName"]
    assert work["MessageRetentionPeriod"] >= 4 * DAY
    assert dead["MessageRetentionPeriod"] == 14 * DAY


@EACH
def test_message_stays_hidden_while_its_consumer_may_be_at_it(assembly: Assembly, queue: Queue) -> None:
    work = deployed_queue(assembly, physical_queue_name(assembly.config.stage, queue.name))
    assert work["VisibilityTimeout"] == queue.visibility_seconds
    assert queue.visibility_seconds >= 6 * FUNCTION_BY_NAME[queue.consumer].timeout_seconds


@EACH
def test_queue_calls_its_consumer_and_learns_which_messages_failed(assembly: Assembly, queue: Queue) -> None:
    function, mapping = mappings(assembly)[physical_queue_name(assembly.config.stage, queue.name)]
    assert function == f"{FUNCTION_BY_NAME[queue.consumer].physical_name(assembly.config.stage)}:live"
    assert mapping["BatchSize"] == queue.batch
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    at_once = {"MaximumConcurrency": assembly.config.webhooks_at_once} if queue is DISPATCH else None
    assert mapping.get("ScalingConfig") == at_once


@EACH
def test_bus_puts_the_declared_events_into_the_queue(assembly: Assembly, queue: Queue) -> None:
    declared = {physical_queue_name(assembly.config.stage, name): rule.pattern for name, rule in queue.named_rules()}
    work = physical_queue_name(assembly.config.stage, queue.name)
    rules = [
        rule
        for rule in assembly.properties("AWS::Events::Rule")
        if assembly.text("events", rule["Targets"][0]["Arn"]) == work
    ]
    assert {rule["Name"]: rule["EventPattern"] for rule in rules} == declared
    for rule in rules:
        [target] = rule["Targets"]
        assert assembly.text("events", rule["EventBusName"]) == EVENT_BUS.physical_name(assembly.config.stage)
        assert assembly.text("events", target["Arn"]) == work
        assert "Undelivered" in str(target["DeadLetterConfig"]["Arn"])
    assert senders(assembly, work) == set(declared)


def test_bus_keeps_what_it_cannot_deliver(assembly: Assembly) -> None:
    [bus] = assembly.properties("AWS::Events::EventBus")
    assert bus["Name"] == EVENT_BUS.physical_name(assembly.config.stage) == assembly.config.service
    assert "Undelivered" in str(bus["DeadLetterConfig"])
    rules = {rule["Name"] for rule in assembly.properties("AWS::Events::Rule")}
    assert senders(assembly, f"{assembly.config.service}-undelivered") == {bus["Name"], *rules}


@EACH_FOLLOWER
def test_stream_calls_its_follower_from_the_oldest_record_on(assembly: Assembly, function: Function) -> None:
    function_name, mapping = stream_mapping(assembly, function)
    assert function_name == f"{function.physical_name(assembly.config.stage)}:live"
    assert mapping["StartingPosition"] == "TRIM_HORIZON"
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert mapping["FilterCriteria"] == {"Filters": [{"Pattern": '{"eventName":["INSERT"]}'}]}


@EACH_FOLLOWER
def test_record_that_always_fails_leaves_the_stream_and_is_kept(assembly: Assembly, function: Function) -> None:
    _, mapping = stream_mapping(assembly, function)
    assert mapping["BisectBatchOnFunctionError"] is True
    assert 0 < mapping["MaximumRetryAttempts"] <= 100
    assert mapping["MaximumRecordAgeInSeconds"] <= DAY / 4
    kept = assembly.text("workers", mapping["DestinationConfig"]["OnFailure"]["Destination"])
    assert kept == f"{assembly.config.service}-{function.name}-failures"
    assert deployed_queue(assembly, kept)["MessageRetentionPeriod"] == 14 * DAY


def stream_mapping(assembly: Assembly, function: Function) -> tuple[str, dict[str, Any]]:
    """The alias that the stream of the followed table calls, and the mapping's properties."""
    table = TABLE_BY_NAME[function.follows or ""]
    return mappings(assembly)[f"{physical_name(assembly.config.stage, table)}.StreamArn"]


def test_every_queue_is_encrypted_and_refuses_plain_http(assembly: Assembly) -> None:
    queues = list(assembly.resources("AWS::SQS::Queue"))
    keeping = {schedule.function for schedule in SCHEDULES} | {function.name for function in FOLLOWERS}
    assert len(queues) == 1 + len(keeping) + 2 * len(QUEUES)
    policies = str(assembly.properties("AWS::SQS::QueuePolicy"))
    for _, logical_id, queue in queues:
        assert queue["Properties"]["SqsManagedSseEnabled"] is True
        assert logical_id in policies
    assert policies.count("aws:SecureTransport") == len(queues)
