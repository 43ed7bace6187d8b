"""The queue `callbacks`: what nothing processes yet is left for the dead-letter queue."""

import json
from typing import Any

import pytest

from callmissed.aws.database import Database
from callmissed.aws.dynamodb import DynamoDB, Unavailable
from functions.webhooks.callbacks.worker import CallbackWorker
from tests.support.bots.inbound import queued
from tests.support.webhooks.callbacks import (
    DOMAIN,
    VOICE,
    CallbacksApi,
    by_twilio,
    call_form,
    twilio_credentials,
)


async def test_callbacks_of_twilio_fail_and_are_kept(
    callbacks_api: CallbacksApi, caplog: pytest.LogCaptureFixture
) -> None:
    await callbacks_api.save(twilio_credentials())
    form, signed = by_twilio(f"https://{DOMAIN}/prod{VOICE}", call_form())
    assert (await callbacks_api.post(VOICE, form, signed)).status == 200
    items = await callbacks_api.outbox()

    for receives in (1, 2):
        failed = await CallbackWorker(callbacks_api.database).failures(queued(items, receives))
        assert sorted(failed) == sorted(f"message of {item['id']}" for item in items)

    assert len(await callbacks_api.outbox()) == len(items) == 1
    assert [vars(record)["reason"] for record in caplog.records] == ["nothing processes callback.twilio.voice yet"]


@pytest.mark.parametrize("body", ["", "{", "[]", "{}", '{"detail": {"id": "cbk_gone"}}'])
async def test_a_message_that_names_no_callback_fails(callbacks_api: CallbacksApi, body: str) -> None:
    record = {"messageId": "m", "body": body, "attributes": {}}

    assert await CallbackWorker(callbacks_api.database).failures([record]) == ["m"]


async def test_what_dynamodb_does_not_answer_fails(callbacks_api: CallbacksApi) -> None:
    class Silent(DynamoDB):
        async def call(self, *_: Any, **__: Any) -> Any:
            raise Unavailable("silence", indeterminate=True)

    worker = CallbackWorker(Database(Silent("us-east-1", "http://127.0.0.1:1"), callbacks_api.name))

    assert await worker.failures([{"messageId": "m", "body": json.dumps({"id": "cbk_1"}), "attributes": {}}]) == ["m"]
