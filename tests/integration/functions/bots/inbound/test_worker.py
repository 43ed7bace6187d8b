"""The queue `whatsapp`: what becomes of stored callbacks, and what is left for the dead-letter queue."""

import json
from typing import Any

import pytest

from callmissed.aws.attributes import Item
from callmissed.aws.database import Database
from callmissed.aws.dynamodb import DynamoDB, Unavailable
from callmissed.clock import Micros
from callmissed.events.outbox import Event, publish
from callmissed.integrations.callbacks import PLATFORM
from callmissed.platform.queues import CALLBACK_SOURCE, EVENT_SOURCE
from functions.bots.inbound.worker import InboundWorker
from tests.support.bots.inbound import RecordedJobs, queued
from tests.support.webhooks.callbacks import (
    CASHFREE,
    DOMAIN,
    NOW,
    VOICE,
    WHATSAPP,
    CallbacksApi,
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


async def stored(callbacks_api: CallbacksApi) -> list[Item]:
    return [item for item in await callbacks_api.outbox() if item["source"] == CALLBACK_SOURCE]


async def published(callbacks_api: CallbacksApi) -> list[dict[str, Any]]:
    """The events of messages and statuses."""
    events = [json.loads(item["body"]) for item in await callbacks_api.outbox() if item["source"] == EVENT_SOURCE]
    return [event for event in events if event["event"].startswith("message.")]


def worker(callbacks_api: CallbacksApi) -> InboundWorker:
    return InboundWorker(callbacks_api.database, RecordedJobs(), lambda: Micros(callbacks_api.now))


async def take(callbacks_api: CallbacksApi, *changes: dict[str, Any]) -> str:
    tenant = await callbacks_api.save(whatsapp_credentials())
    body = body_of(*changes)
    assert (await callbacks_api.post(WHATSAPP, body, by_meta(body))).status == 200
    return tenant


async def test_a_message_becomes_an_event_of_its_tenant(callbacks_api: CallbacksApi) -> None:
    tenant = await take(callbacks_api, change(messages=[message("wamid.1", "नमस्ते")]))

    assert await worker(callbacks_api).failures(queued(await stored(callbacks_api))) == []

    (event,) = await published(callbacks_api)
    assert event["event"] == "message.received"
    assert event["data"].pop("conversation_id")
    assert event["data"] == {
        "bot_id": None,
        "channel": "whatsapp",
        "from": "919876543210",
        "user_id": None,
        "message_id": "wamid.1",
        "type": "text",
        "text": "नमस्ते",
        "content": {"timestamp": "1795599990"},
    }
    assert {item["tenant"] for item in await callbacks_api.outbox()} == {tenant}


async def test_statuses_become_events_with_their_reasons(callbacks_api: CallbacksApi) -> None:
    errors = [{"code": 131047, "title": "Re-engagement message", "message": "x", "error_data": {}}]
    await take(callbacks_api, change(statuses=[status("wamid.1", "read"), status("wamid.1", "failed", errors=errors)]))

    assert await worker(callbacks_api).failures(queued(await stored(callbacks_api))) == []

    events = {event["data"]["status"]: event["data"] for event in await published(callbacks_api)}
    assert events["read"] == {
        "conversation_id": None,
        "bot_id": None,
        "channel": "whatsapp",
        "message_id": "wamid.1",
        "status": "read",
        "recipient": "919876543210",
        "user_id": None,
        "error": None,
        "errors": [],
        "content": {"timestamp": "1795599991"},
    }
    assert events["failed"]["error"] == "131047 Re-engagement message"


async def test_messages_that_are_no_text_are_published_without_one(callbacks_api: CallbacksApi) -> None:
    image = {**message("wamid.1"), "type": "image", "image": {"id": "1"}}
    del image["text"]
    await take(callbacks_api, change(messages=[image]))

    assert await worker(callbacks_api).failures(queued(await stored(callbacks_api))) == []

    (event,) = await published(callbacks_api)
    assert (event["data"]["type"], event["data"]["text"]) == ("image", None)


async def test_a_redelivery_publishes_nothing_new(callbacks_api: CallbacksApi) -> None:
    await take(callbacks_api, change(messages=[message("wamid.1")], statuses=[status("wamid.2")]))

    for moment in range(3):
        callbacks_api.now += moment
        assert await worker(callbacks_api).failures(queued(await stored(callbacks_api))) == []

    assert len(await published(callbacks_api)) == 2


async def test_what_nothing_processes_fails_alone(callbacks_api: CallbacksApi) -> None:
    await take(callbacks_api, change(messages=[message("wamid.1")]))
    await callbacks_api.save(twilio_credentials())
    form, signed = by_twilio(f"https://{DOMAIN}/prod{VOICE}", call_form())
    assert (await callbacks_api.post(VOICE, form, signed)).status == 200
    assert (await callbacks_api.post(CASHFREE, payment(), by_cashfree(payment()))).status == 200
    items = await stored(callbacks_api)

    failed = await worker(callbacks_api).failures(queued(items))

    kept = {item["id"] for item in items if item["type"] != "callback.whatsapp"}
    assert len(kept) == 2
    assert set(failed) == {f"message of {id}" for id in kept}
    assert [event["event"] for event in await published(callbacks_api)] == ["message.received"]


@pytest.mark.parametrize(
    "body",
    ["", "{", "[]", "null", "{}", '{"detail": 1}', '{"detail": {"id": null}}', '{"detail": {"id": "cbk_gone"}}'],
)
async def test_a_message_that_names_no_callback_fails(callbacks_api: CallbacksApi, body: str) -> None:
    assert await worker(callbacks_api).failures([{"messageId": "m", "body": body, "attributes": {}}]) == ["m"]


@pytest.mark.parametrize(
    "text",
    ["SECRET", '{"entry": "SECRET"}', '{"SECRET": 1}'],
)
async def test_a_text_that_can_not_be_read_fails_and_its_reason_is_logged_once_without_it(
    callbacks_api: CallbacksApi, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    body = json.dumps({"received": "x", "headers": {}, "text": text})
    event = Event("cbk_1", "tnt_1", "callback.whatsapp", CALLBACK_SOURCE, NOW, body)
    await publish(Database(callbacks_api.dynamodb, callbacks_api.name), event)

    for receives in (1, 2, 3):
        assert len(await worker(callbacks_api).failures(queued(await stored(callbacks_api), receives))) == 1

    (line,) = [vars(record) for record in caplog.records]
    assert line["reason"]
    assert "SECRET" not in str(line)


@pytest.mark.parametrize(
    "value",
    [
        {"messages": [{"text": "SECRET"}]},
        {"messages": ["SECRET"]},
        {"messages": {"SECRET": 1}},
        {"statuses": [{"id": "SECRET"}]},
        {"contacts": ["SECRET"]},
        {"errors": "SECRET"},
        {"SECRET": None},
        ["SECRET"],
        "SECRET",
        None,
    ],
)
async def test_a_shape_that_can_not_be_read_is_kept_and_counted_and_its_text_not_logged(
    callbacks_api: CallbacksApi, value: Any, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    text = json.dumps({"entry": [{"id": "WABA-1", "changes": [{"field": "messages", "value": value}]}]})
    body = json.dumps({"received": "x", "headers": {}, "text": text})
    event = Event("cbk_1", "tnt_1", "callback.whatsapp", CALLBACK_SOURCE, NOW, body)
    await publish(Database(callbacks_api.dynamodb, callbacks_api.name), event)

    assert await worker(callbacks_api).failures(queued(await stored(callbacks_api))) == []

    assert [json.loads(item["body"])["text"] for item in await stored(callbacks_api)] == [text]
    assert await published(callbacks_api) == []
    assert '"CallbackRejected":[1.0]' in capsys.readouterr().out
    (line,) = [vars(record) for record in caplog.records]
    assert line["callback"] == "cbk_1"
    assert "SECRET" not in str(line)


async def test_errors_that_belong_to_no_message_are_kept_and_counted(
    callbacks_api: CallbacksApi, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    await take(callbacks_api, change(errors=[{"code": 130429, "title": "Rate limit hit", "message": "SECRET"}]))

    assert await worker(callbacks_api).failures(queued(await stored(callbacks_api))) == []

    written = capsys.readouterr().out
    assert '"CallbackError":[1.0]' in written
    assert "CallbackRejected" not in written
    (line,) = [vars(record) for record in caplog.records]
    assert line["codes"] == [130429]
    assert "SECRET" not in str(line)


async def test_a_hostile_change_does_not_stop_its_neighbours(callbacks_api: CallbacksApi) -> None:
    nobodys: dict[str, Any] = {"field": "messages", "value": {"messages": "none"}}
    hostile: list[Any] = [None, 5, [], {}, nobodys, change(messages={"a": 1}), change(messages=[5, message("wamid.1")])]
    tenant = await take(callbacks_api, *hostile, change(statuses=["x", status("wamid.2")]))

    assert await worker(callbacks_api).failures(queued(await stored(callbacks_api))) == []

    assert {event["data"]["message_id"] for event in await published(callbacks_api)} == {"wamid.1", "wamid.2"}
    assert {item["tenant"] for item in await callbacks_api.outbox()} == {tenant}


async def test_a_change_without_a_number_is_of_the_tenant_whose_secret_signed_all_others(
    callbacks_api: CallbacksApi,
) -> None:
    numberless = {"field": "messages", "value": {"messages": [message("wamid.1")]}}
    tenant = await take(callbacks_api, change(messages=[message("wamid.2")]), numberless)

    assert await worker(callbacks_api).failures(queued(await stored(callbacks_api))) == []

    assert len(await published(callbacks_api)) == 2
    assert {item["tenant"] for item in await callbacks_api.outbox()} == {tenant}


async def test_a_change_without_a_number_among_those_of_two_tenants_is_kept_for_neither(
    callbacks_api: CallbacksApi,
) -> None:
    await callbacks_api.save(whatsapp_credentials("2"))
    numberless = {"field": "messages", "value": {"messages": [message("wamid.1")]}}
    await take(callbacks_api, change("2", messages=[message("wamid.2")]), change(messages=[]), numberless)

    assert await worker(callbacks_api).failures(queued(await stored(callbacks_api))) == []

    (kept,) = [item for item in await stored(callbacks_api) if item["tenant"] == PLATFORM]
    assert "wamid.1" in kept["body"]
    assert [event["data"]["message_id"] for event in await published(callbacks_api)] == ["wamid.2"]


async def test_what_dynamodb_does_not_answer_is_tried_again(callbacks_api: CallbacksApi) -> None:
    await take(callbacks_api, change(messages=[message("wamid.1")]))

    class Silent(DynamoDB):
        async def call(self, *_: Any, **__: Any) -> Any:
            raise Unavailable("silence", indeterminate=True)

    silent = InboundWorker(Database(Silent("us-east-1", "http://127.0.0.1:1"), callbacks_api.name), RecordedJobs())

    assert len(await silent.failures(queued(await stored(callbacks_api)))) == 1
    assert await worker(callbacks_api).failures(queued(await stored(callbacks_api))) == []
