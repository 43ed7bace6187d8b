"""What a rehearsal finds before anything is created: each test takes one thing out of the templates."""

from collections.abc import Callable

import pytest

from rehearsal.errors import PlanError
from rehearsal.run import check
from rehearsal.templates.assembly import CloudAssembly
from tests.support.rehearsal.damage import damaged, resources, without, without_action, without_statements


def problems(assembly: CloudAssembly, damage: Callable[[CloudAssembly], object]) -> list[str]:
    """What the check says of `assembly` after `damage`."""
    with pytest.raises(PlanError) as error:
        check(damaged(assembly, damage))
    return list(error.value.problems)


def all_say(found: list[str], *words: str) -> bool:
    return bool(found) and all(word in line for line in found for word in words)


def test_templates_can_be_deployed(stage_assembly: CloudAssembly) -> None:
    assert len(check(stage_assembly).resources) > 100


def test_permission_of_api_gateway_is_missing(stage_assembly: CloudAssembly) -> None:
    found = problems(stage_assembly, without("AWS::Lambda::Permission", "webhooks"))
    assert all_say(found, "lambda:InvokeFunction", "-webhooks:live", "apigateway.amazonaws.com")


def test_permission_of_the_authorizer_is_missing(stage_assembly: CloudAssembly) -> None:
    found = problems(stage_assembly, without("AWS::Lambda::Permission", "authorizer"))
    assert len(found) == 1
    assert all_say(found, "-authorizer:live", "apigateway.amazonaws.com")


def test_topic_lets_no_alarm_publish(stage_assembly: CloudAssembly) -> None:
    found = problems(stage_assembly, without_statements("AWS::SNS::TopicPolicy", "", "Allow"))
    assert all_say(found, "sns:Publish", "cloudwatch.amazonaws.com")


def test_queue_lets_no_rule_send(stage_assembly: CloudAssembly) -> None:
    found = problems(stage_assembly, without_statements("AWS::SQS::QueuePolicy", "eventfanout", "Allow"))
    assert all_say(found, "events.Resources.Rule", "sqs:SendMessage", "events.amazonaws.com")


def test_bus_may_not_keep_what_it_can_not_deliver(stage_assembly: CloudAssembly) -> None:
    found = problems(stage_assembly, without_statements("AWS::SQS::QueuePolicy", "Undelivered", "Allow"))
    assert all_say(found, "-undelivered", "events.amazonaws.com")
    assert any(".Resources.Bus" in line for line in found)


@pytest.mark.parametrize("action", ["sqs:ReceiveMessage", "sqs:DeleteMessage"])
def test_role_may_not_read_its_queue(stage_assembly: CloudAssembly, action: str) -> None:
    found = problems(stage_assembly, without_action("webhooksender", action))
    assert all_say(found, action, "-webhook-dispatch", "by role")


def test_role_may_not_read_its_stream(stage_assembly: CloudAssembly) -> None:
    found = problems(stage_assembly, without_action("eventrelay", "dynamodb:GetRecords"))
    assert all_say(found, "dynamodb:GetRecords", "-outbox/stream/")


def test_role_may_not_write_its_log(stage_assembly: CloudAssembly) -> None:
    found = problems(stage_assembly, without_action("inference", "logs:PutLogEvents"))
    assert all_say(found, "logs:PutLogEvents", "/inference")


def test_scheduler_may_not_assume_its_roles(stage_assembly: CloudAssembly) -> None:
    def other_group(assembly: CloudAssembly) -> None:
        for siblings, logical_id in resources(assembly, "AWS::IAM::Role", "Scheduler"):
            [statement] = siblings[logical_id]["Properties"]["AssumeRolePolicyDocument"]["Statement"]
            statement["Condition"] = {"StringEquals": {"aws:SourceAccount": "210987654321"}}

    assert all_say(problems(stage_assembly, other_group), "scheduler.amazonaws.com may not assume")


def test_role_that_a_function_names_is_gone(stage_assembly: CloudAssembly) -> None:
    found = problems(stage_assembly, without("AWS::IAM::Role", "inference"))
    assert any("api.Resources.inferenceFunction" in line and "has no resource" in line for line in found)


def test_export_or_name_that_others_use_is_gone(stage_assembly: CloudAssembly) -> None:
    """References between stacks may be exports or built names: of both, the user is named."""

    def renamed(assembly: CloudAssembly) -> None:
        for siblings, logical_id in resources(assembly, "AWS::DynamoDB::Table", "keys"):
            siblings[logical_id]["Properties"]["TableName"] = "callmissed-rehearsal-key"
        for stack in assembly.stacks:
            outputs = stack.template.get("Outputs", {})
            for name in [name for name, output in outputs.items() if "Export" in output]:
                del outputs[name]

    found = problems(stage_assembly, renamed)
    assert found
    assert all("no stack" in line for line in found)


def test_stream_of_a_table_is_switched_off(stage_assembly: CloudAssembly) -> None:
    def without_stream(assembly: CloudAssembly) -> None:
        for siblings, logical_id in resources(assembly, "AWS::DynamoDB::Table", "ledger"):
            del siblings[logical_id]["Properties"]["StreamSpecification"]

    found = problems(stage_assembly, without_stream)
    assert any("StreamArn" in line or "/stream/" in line for line in found)
