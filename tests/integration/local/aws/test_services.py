"""Queues, rules and the bucket of a stage."""

import json
from typing import Any

import pytest

from callmissed.platform.queues import CALLBACK_SOURCE, CALLBACKS, EVENT_SOURCE, FANOUT, PASSING, QUEUES, Queue, Rule
from callmissed.platform.queues.billing import PAYMENTS
from callmissed.platform.queues.bots import WHATSAPP
from callmissed.platform.queues.sources import CASHFREE_CALLBACK, OTHER_CALLBACKS, WHATSAPP_CALLBACK
from callmissed.platform.resources import EVENT_BUS, RESPONSES_BUCKET
from local.aws.clients import local_client
from local.aws.services import StageServices, create_services


def test_every_declared_queue_has_its_visibility_and_dead_letters(services: StageServices) -> None:
    sqs = local_client("sqs", services.endpoint)
    for queue in QUEUES:
        found = sqs.get_queue_attributes(QueueUrl=services.queue_url(queue.name), AttributeNames=["All"])["Attributes"]
        assert found["VisibilityTimeout"] == str(queue.visibility_seconds)
        assert json.loads(found["RedrivePolicy"]) == {
            "deadLetterTargetArn": services.queue_arn(queue.dead_letters),
            "maxReceiveCount": queue.tries,
        }
        sqs.get_queue_attributes(QueueUrl=services.queue_url(queue.dead_letters))


@pytest.mark.parametrize(
    ("source", "kind", "queue"),
    [
        (EVENT_SOURCE, "budget.alert", FANOUT),
        *((CALLBACK_SOURCE, kind, CALLBACKS) for kind in OTHER_CALLBACKS),
        (CALLBACK_SOURCE, WHATSAPP_CALLBACK, WHATSAPP),
        (CALLBACK_SOURCE, CASHFREE_CALLBACK, PAYMENTS),
    ],
)
def test_the_bus_puts_events_into_the_queue_of_their_source(
    services: StageServices, source: str, kind: str, queue: Queue
) -> None:
    detail = {"id": "evt_1", "tenant": "tnt_1", "type": kind, "created": 1}
    entry: Any = {"Source": source, "DetailType": kind, "Detail": json.dumps(detail)}
    entry["EventBusName"] = EVENT_BUS.physical_name(services.stage)
    local_client("events", services.endpoint).put_events(Entries=[entry])
    sqs = local_client("sqs", services.endpoint)
    [message] = sqs.receive_message(QueueUrl=services.queue_url(queue.name))["Messages"]
    event = json.loads(message.get("Body", ""))
    assert (event["source"], event["detail-type"], event["detail"]) == (source, kind, detail)
    others = [other for other in (FANOUT, CALLBACKS, WHATSAPP, PAYMENTS) if other != queue]
    assert all("Messages" not in sqs.receive_message(QueueUrl=services.queue_url(other.name)) for other in others)


def test_rule_with_detail_types_matches_no_other_type_and_no_other_source(services: StageServices) -> None:
    queue = Queue(
        "bot-events",
        consumer="bot",
        visibility_seconds=180,
        tenant_data=PASSING,
        rules=(Rule(EVENT_SOURCE, ("message.received", "message.status")), Rule("callmissed.calls", ("call.ended",))),
    )
    stage = StageServices(services.endpoint, f"{services.stage}-rules")
    create_services(stage, (queue,))
    published = [
        (EVENT_SOURCE, "message.received"),
        (EVENT_SOURCE, "budget.alert"),
        (EVENT_SOURCE, "call.ended"),
        ("callmissed.calls", "call.ended"),
        ("callmissed.calls", "message.received"),
        (CALLBACK_SOURCE, "message.received"),
        (EVENT_SOURCE, "message.status"),
    ]
    entries: Any = [
        {"Source": source, "DetailType": kind, "Detail": "{}", "EventBusName": EVENT_BUS.physical_name(stage.stage)}
        for source, kind in published
    ]
    local_client("events", services.endpoint).put_events(Entries=entries)
    sqs = local_client("sqs", services.endpoint)
    messages = sqs.receive_message(QueueUrl=stage.queue_url(queue.name), MaxNumberOfMessages=10)["Messages"]
    events = [json.loads(message.get("Body", "")) for message in messages]
    assert sorted((event["source"], event["detail-type"]) for event in events) == [
        ("callmissed.calls", "call.ended"),
        (EVENT_SOURCE, "message.received"),
        (EVENT_SOURCE, "message.status"),
    ]


def test_the_bucket_keeps_answers(services: StageServices) -> None:
    s3 = local_client("s3", services.endpoint)
    s3.put_object(Bucket=services.bucket(RESPONSES_BUCKET), Key="a/b", Body=b"answer")
    assert s3.get_object(Bucket=services.bucket(RESPONSES_BUCKET), Key="a/b")["Body"].read() == b"answer"
