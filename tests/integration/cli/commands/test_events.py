"""`callmissed events emit`: what it puts into the outbox, and what it says."""

import json
from typing import Any

import pytest

from callmissed.aws.attributes import Item, from_item, to_item
from callmissed.aws.dynamodb import DynamoDB
from callmissed.events.types import EVENT_TYPES
from callmissed.platform.tables import OUTBOX, physical_name
from local.aws.account import STAGE
from tests.support.cli import CommandLine


def published(line: CommandLine, event_id: str) -> Item:
    request = {"TableName": physical_name(STAGE, OUTBOX), "Key": to_item({"id": event_id}), "ConsistentRead": True}

    async def read(dynamodb: DynamoDB) -> dict[str, Any]:
        return await dynamodb.call("GetItem", request)

    return from_item(line.work(read)["Item"])


@pytest.mark.parametrize("name", EVENT_TYPES)
def test_every_types_example_is_published(line: CommandLine, name: str) -> None:
    tenant = line.tenant()

    made = line.json("events", "emit", name, "--tenant", tenant)

    item = published(line, made["event_id"])
    assert (item["tenant"], item["type"], item["source"]) == (tenant, name, "callmissed.events")
    body = json.loads(item["body"])
    assert (body["id"], body["event"], body["timestamp"]) == (made["event_id"], name, made["timestamp"])
    assert body["data"].items() >= EVENT_TYPES[name].example.items()
    assert (made["event"], made["tenant_id"]) == (name, tenant)


def test_each_emit_publishes_another_event(line: CommandLine) -> None:
    assert len({line.json("events", "emit", "credits.low")["event_id"] for _ in range(2)}) == 2


def test_emit_warns_that_receivers_take_it_for_real(line: CommandLine) -> None:
    result = line.run("events", "emit", "payment.succeeded")

    assert "can't distinguish this event from a real one" in result.stderr
    assert "can't distinguish" not in result.stdout


def test_an_unknown_type_is_answered_with_the_known_types(line: CommandLine) -> None:
    result = line.run("events", "emit", "message.recieved")

    assert result.exit_code == 2
    assert "message.received" in result.stderr
