"""The product's callback route takes what the stand-in sends."""

from collections.abc import AsyncIterator

import pytest_asyncio

from callmissed.aws.dynamodb import DynamoDB
from local.aws.tables import StageTables
from local.fakes.graph.accounts import NUMBER_ID
from local.fakes.graph.fake import FakeGraph
from tests.support.webhooks.callbacks import APP_SECRET, WHATSAPP, CallbacksApi, whatsapp_credentials


@pytest_asyncio.fixture
async def callbacks_api(tables: StageTables) -> AsyncIterator[CallbacksApi]:
    dynamodb = DynamoDB("us-east-1", tables.endpoint, timeout_seconds=20)
    yield CallbacksApi(dynamodb, tables.stage)
    await dynamodb.close()


async def test_callbacks_are_accepted_and_stored_once(callbacks_api: CallbacksApi) -> None:
    await callbacks_api.save(whatsapp_credentials(NUMBER_ID))
    graph = FakeGraph(app_secret=APP_SECRET)
    graph.fault("duplicate", times=None)
    wamid = graph.phone("919800000001").say("Où est ma commande/?")
    taken = graph.take()
    assert len(taken) == 2
    for callback in taken:
        assert (await callbacks_api.post(WHATSAPP, callback.body, callback.headers)).status == 200
    (text,) = await callbacks_api.texts()
    assert wamid in text


async def test_another_apps_callback_is_refused(callbacks_api: CallbacksApi) -> None:
    await callbacks_api.save(whatsapp_credentials(NUMBER_ID))
    graph = FakeGraph(app_secret="another")
    graph.phone("919800000001").say("Hi")
    (callback,) = graph.take()
    assert (await callbacks_api.post(WHATSAPP, callback.body, callback.headers)).status == 401
