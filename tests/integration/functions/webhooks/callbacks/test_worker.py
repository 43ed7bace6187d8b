"""The queue `callbacks`: what becomes of stored callbacks, and what is left for the dead-letter queue."""

import json
from collections.abc import Sequence
from typing import Any

import pytest

from callmissed.aws.attributes import Item
from callmissed.aws.database import Database
from callmissed.aws.dynamodb import DynamoDB, Unavailable
from callmissed.clock import Micros
from callmissed.events.outbox import Event, publish
from callmissed.platform.queues import CALLBACK_SOURCE, EVENT_SOURCE
from functions.webhooks.callbacks.worker import CallbackWorker
from tests.support.webhooks.callbacks import (
    CASHFREE,
    DOMAIN,
    NOW,
    VOICE,
    WHATSAPP,
    Stage,
    body_of,
    by_cashfree,
    by_meta,
    by_twilio,
    call_form,
    change,
    message,
    payment,
    status,
    twilio_credentials,
    whatsapp_credentials,
)


def queued(items: Sequence[Item], receives: int = 1) -> list[dict[str, Any]]:
    """Messages as the bus puts them into the queue and SQS hands them over."""
    return [
        {
            "messageId": f"message of {item['id']}",
            "body": json.dumps(
                {"source": CALLBACK_SOURCE, "detail-type": item["type"], "detail": {"id": item["id"], "tenant": "x"}}
            ),
            "attributes": {"ApproximateReceiveCount": str(receives)},
        }
        for item in items
    ]


async def stored(stage: Stage) -> list[Item]:
    return [item for item in await stage.outbox() if item["source"] == CALLBACK_SOURCE]


async def published(stage: Stage) -> list[dict[str, Any]]:
    return [json.loads(item["body"]) for item in await stage.outbox() if item["source"] == EVENT_SOURCE]


def worker(stage: Stage) -> CallbackWorker:
    return CallbackWorker(Database(stage.dynamodb, stage.name), lambda: Micros(stage.now))


async def take(stage: Stage, *changes: dict[str, Any]) -> str:
    tenant = await stage.save(whatsapp_credentials())
    body = body_of(*changes)
    assert (await stage.post(WHATSAPP, body, by_meta(body))).status == 200
    return tenant


async def test_a_message_becomes_an_event_of_its_tenant(stage: Stage) -> None:
    tenant = await take(stage, change(messages=[message("wamid.1", "नमस्ते")]))

    assert await worker(stage).failures(queued(await stored(stage))) == []

    (event,) = await published(stage)
    assert event["event"] == "message.received"
    assert event["data"] == {
        "conversation_id": None,
        "bot_id": None,
        "channel": "whatsapp",
        "from": "919876543210",
        "message_id": "wamid.1",
        "type": "text",
        "text": "नमस्ते",
    }
    assert {item["tenant"] for item in await stage.outbox()} == {tenant}


async def test_statuses_become_events_with_their_reasons(stage: Stage) -> None:
    errors = [{"code": 131047, "title": "Re-engagement message", "message": "x", "error_data": {}}]
    await take(stage, change(statuses=[status("wamid.1", "read"), status("wamid.1", "failed", errors=errors)]))

    assert await worker(stage).failures(queued(await stored(stage))) == []

    events = {event["data"]["status"]: event["data"] for event in await published(stage)}
    assert events["read"] == {
        "channel": "whatsapp",
        "message_id": "wamid.1",
        "status": "read",
        "recipient": "919876543210",
        "error": None,
    }
    assert events["failed"]["error"] == "131047 Re-engagement message"


async def test_messages_that_are_no_text_are_published_without_one(stage: Stage) -> None:
    image = {**message("wamid.1"), "type": "image", "image": {"id": "1"}}
    del image["text"]
    await take(stage, change(messages=[image]))

    assert await worker(stage).failures(queued(await stored(stage))) == []

    (event,) = await published(stage)
    assert (event["data"]["type"], event["data"]["text"]) == ("image", None)


async def test_a_redelivery_tells_nothing_new(stage: Stage) -> None:
    await take(stage, change(messages=[message("wamid.1")], statuses=[status("wamid.2")]))

    for moment in range(3):
        stage.now += moment
        assert await worker(stage).failures(queued(await stored(stage))) == []

    assert len(await published(stage)) == 2


async def test_what_nothing_processes_fails_alone(stage: Stage) -> None:
    await take(stage, change(messages=[message("wamid.1")]), change(field="history", history=[]))
    await stage.save(twilio_credentials())
    form, signed = by_twilio(f"https://{DOMAIN}/prod{VOICE}", call_form())
    assert (await stage.post(VOICE, form, signed)).status == 200
    assert (await stage.post(CASHFREE, payment(), by_cashfree(payment()))).status == 200
    items = await stored(stage)

    failed = await worker(stage).failures(queued(items))

    kept = {item["id"] for item in items if "history" in item["body"] or item["type"] != "callback.whatsapp"}
    assert len(kept) == 3
    assert set(failed) == {f"message of {id}" for id in kept}
    assert [event["event"] for event in await published(stage)] == ["message.received"]


@pytest.mark.parametrize(
    "body",
    ["", "{", "[]", "null", "{}", '{"detail": 1}', '{"detail": {"id": null}}', '{"detail": {"id": "cbk_gone"}}'],
)
async def test_a_message_that_names_no_callback_fails(stage: Stage, body: str) -> None:
    assert await worker(stage).failures([{"messageId": "m", "body": body, "attributes": {}}]) == ["m"]


@pytest.mark.parametrize(
    "text",
    [
        "SECRET",
        '{"entry": "SECRET"}',
        '{"entry": [{"changes": [{"field": "messages", "value": {"messages": [{"text": "SECRET"}]}}]}]}',
        '{"entry": [{"changes": [{"field": "messages", "value": {"contacts": ["SECRET"]}}]}]}',
    ],
)
async def test_a_text_that_can_not_be_read_fails_and_its_reason_is_logged_once_without_it(
    stage: Stage, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    body = json.dumps({"received": "x", "headers": {}, "text": text})
    event = Event("cbk_1", "tnt_1", "callback.whatsapp", CALLBACK_SOURCE, NOW, body)
    await publish(Database(stage.dynamodb, stage.name), event)

    for receives in (1, 2, 3):
        assert len(await worker(stage).failures(queued(await stored(stage), receives))) == 1

    (line,) = [vars(record) for record in caplog.records]
    assert line["reason"]
    assert "SECRET" not in str(line)


async def test_what_dynamodb_does_not_answer_is_tried_again(stage: Stage) -> None:
    await take(stage, change(messages=[message("wamid.1")]))

    class Silent(DynamoDB):
        async def call(self, operation: str, request: dict[str, Any], *, resend_indeterminate: bool = True) -> Any:
            raise Unavailable("silence", indeterminate=True)

    silent = CallbackWorker(Database(Silent("us-east-1", "http://127.0.0.1:1"), stage.name))

    assert len(await silent.failures(queued(await stored(stage)))) == 1
    assert await worker(stage).failures(queued(await stored(stage))) == []
