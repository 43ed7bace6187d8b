"""Rules of the deployed bus, with several sources and detail types in one queue."""

import json
from typing import Any

import boto3
import pytest
from moto import mock_aws

from callmissed.platform.queues import CALLBACK_SOURCE, EVENT_SOURCE, PASSING, Queue, Rule
from infra.config import StageConfig
from infra.declarations import Declarations

BOT_EVENTS = Queue(
    "bot-events",
    consumer="bot",
    visibility_seconds=180,
    tenant_data=PASSING,
    rules=(Rule(EVENT_SOURCE, ("message.received", "message.status")), Rule("callmissed.calls", ("call.ended",))),
)
EVERYTHING = Queue(
    "everything", consumer="bot", visibility_seconds=180, tenant_data=PASSING, rules=(Rule(EVENT_SOURCE),)
)


@pytest.fixture(scope="module")
def rules() -> dict[str, dict[str, Any]]:
    """Properties of the rules of `BOT_EVENTS` and `EVERYTHING`, by their names."""
    from aws_cdk import App
    from aws_cdk.assertions import Template

    from infra.stacks.events import EventsStack

    stack = EventsStack(App(), StageConfig(stage="test", bundle=False), Declarations(queues=(BOT_EVENTS, EVERYTHING)))
    found = Template.from_stack(stack).find_resources("AWS::Events::Rule").values()
    return {rule["Properties"]["Name"]: rule["Properties"] for rule in found}


def test_rules_of_one_queue_have_names_and_patterns_of_their_own(rules: dict[str, dict[str, Any]]) -> None:
    assert {name: rule["EventPattern"] for name, rule in rules.items()} == {
        "callmissed-test-bot-events": {"source": [EVENT_SOURCE], "detail-type": ["message.received", "message.status"]},
        "callmissed-test-bot-events-2": {"source": ["callmissed.calls"], "detail-type": ["call.ended"]},
        "callmissed-test-everything": {"source": [EVENT_SOURCE]},
    }
    first, second = rules["callmissed-test-bot-events"], rules["callmissed-test-bot-events-2"]
    assert first["Targets"][0]["Arn"] == second["Targets"][0]["Arn"]


@pytest.mark.parametrize(
    ("source", "detail_type", "matched"),
    [
        (EVENT_SOURCE, "message.received", {"bot-events", "everything"}),
        (EVENT_SOURCE, "message.status", {"bot-events", "everything"}),
        (EVENT_SOURCE, "budget.alert", {"everything"}),
        (EVENT_SOURCE, "call.ended", {"everything"}),
        ("callmissed.calls", "call.ended", {"bot-events-2"}),
        ("callmissed.calls", "message.received", set[str]()),
        (CALLBACK_SOURCE, "message.received", set[str]()),
    ],
)
def test_rule_matches_source_and_detail_type(
    rules: dict[str, dict[str, Any]], source: str, detail_type: str, matched: set[str]
) -> None:
    patterns = {name.removeprefix("callmissed-test-"): rule["EventPattern"] for name, rule in rules.items()}
    assert matching(patterns, source, detail_type) == matched


@mock_aws
def matching(patterns: dict[str, dict[str, Any]], source: str, detail_type: str) -> set[str]:
    """Names of the patterns that match an event: a bus in memory puts it into a queue for each of them."""
    events, sqs = boto3.client("events", region_name="us-east-1"), boto3.client("sqs", region_name="us-east-1")
    urls = {name: sqs.create_queue(QueueName=name)["QueueUrl"] for name in patterns}
    for name, pattern in patterns.items():
        events.put_rule(Name=name, EventPattern=json.dumps(pattern))
        arn = f"arn:aws:sqs:us-east-1:123456789012:{name}"
        events.put_targets(Rule=name, Targets=[{"Id": "queue", "Arn": arn}])
    events.put_events(Entries=[{"Source": source, "DetailType": detail_type, "Detail": "{}"}])
    return {name for name, url in urls.items() if sqs.receive_message(QueueUrl=url).get("Messages")}
