"""Every call that AWS makes between the resources of a stage is one that a policy allows."""

import copy
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.support.assembly import Assembly
from tests.support.service_edges import allowed, edges

KINDS = {
    ("apigateway.amazonaws.com", "lambda:InvokeFunction"),
    ("cloudwatch.amazonaws.com", "sns:Publish"),
    ("events.amazonaws.com", "sqs:SendMessage"),
    ("lambda.amazonaws.com", "dynamodb:GetRecords"),
    ("lambda.amazonaws.com", "logs:PutLogEvents"),
    ("lambda.amazonaws.com", "sqs:ReceiveMessage"),
    ("lambda.amazonaws.com", "sqs:SendMessage"),
    ("scheduler.amazonaws.com", "lambda:InvokeFunction"),
    ("scheduler.amazonaws.com", "sqs:SendMessage"),
}


def test_every_call_between_resources_is_allowed(assembly: Assembly) -> None:
    assert [edge for edge in edges(assembly) if not allowed(assembly, edge)] == []


def test_every_call_of_a_stage_with_every_option_is_allowed(optional_assembly: Assembly) -> None:
    assert [edge for edge in edges(optional_assembly) if not allowed(optional_assembly, edge)] == []


def test_calls_of_every_kind_are_looked_at(assembly: Assembly) -> None:
    found = Counter((edge.principal, edge.action) for edge in edges(assembly))
    assert found.keys() >= KINDS


def without_allow(policy: dict[str, Any]) -> None:
    """Leave only the statements that deny."""
    document = policy["Properties"]["PolicyDocument"]
    document["Statement"] = [each for each in document["Statement"] if each["Effect"] == "Deny"]


def of_another_account(policy: dict[str, Any]) -> None:
    """Let only alarms of another account in."""
    for statement in policy["Properties"]["PolicyDocument"]["Statement"]:
        statement.get("Condition", {}).get("StringEquals", {}).update({"aws:SourceAccount": "123456789012"})


def of_another_api(permission: dict[str, Any]) -> None:
    """Let only another API call."""
    permission["Properties"]["SourceArn"] = "arn:aws:execute-api:ap-south-1:123456789012:other/*/*/*"


def trusts_nobody(role: dict[str, Any]) -> None:
    """Let no service assume the role."""
    role["Properties"]["AssumeRolePolicyDocument"]["Statement"] = []


@pytest.mark.parametrize(
    ("kind", "spoil"),
    [
        ("AWS::SNS::TopicPolicy", without_allow),
        ("AWS::SNS::TopicPolicy", of_another_account),
        ("AWS::SQS::QueuePolicy", without_allow),
        ("AWS::Lambda::Permission", of_another_api),
        ("AWS::IAM::Role", trusts_nobody),
        ("AWS::IAM::Policy", without_allow),
    ],
)
def test_missing_policy_is_found(assembly: Assembly, kind: str, spoil: Callable[[dict[str, Any]], None]) -> None:
    spoilt = replace(assembly, templates=copy.deepcopy(dict(assembly.templates)))
    for _, _, resource in spoilt.resources(kind):
        spoil(resource)
    assert any(not allowed(spoilt, edge) for edge in edges(spoilt))
