"""What a callback asks of DynamoDB before it is answered: one read, if any, and one write."""

from collections.abc import AsyncIterator, Callable

import pytest
import pytest_asyncio

from local.aws.tables import StageTables
from tests.perf.test_modules import HEAVY, LOCAL, loaded
from tests.support.counting import CountingDynamoDB
from tests.support.webhooks.callbacks import (
    CASHFREE,
    CASHFREE_SECRET,
    DOMAIN,
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
    twilio_credentials,
    whatsapp_credentials,
)

READ, WRITE = "GetItem tenants", "PutItem outbox"
Request = tuple[str, bytes, dict[str, str]]


@pytest_asyncio.fixture
async def callbacks_api(tables: StageTables, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[CallbacksApi]:
    monkeypatch.setenv("CASHFREE_SECRET_KEY", CASHFREE_SECRET)
    dynamodb = CountingDynamoDB("us-east-1", tables.endpoint)
    callbacks_api = CallbacksApi(dynamodb, tables.stage)
    await callbacks_api.save(whatsapp_credentials())
    await callbacks_api.save(twilio_credentials())
    yield callbacks_api
    await dynamodb.close()


def of_whatsapp(number: int) -> Request:
    body = body_of(change(messages=[message(f"wamid.{number}")]))
    return WHATSAPP, body, by_meta(body)


def of_twilio(number: int) -> Request:
    return (VOICE, *by_twilio(f"https://{DOMAIN}/prod{VOICE}", call_form(CallSid=f"CA{number}")))


def of_cashfree(number: int) -> Request:
    body = payment(number)
    return CASHFREE, body, by_cashfree(body)


async def asked(callbacks_api: CallbacksApi, request: Request) -> tuple[int, list[str]]:
    """Status and DynamoDB's answers of one callback."""
    assert isinstance(callbacks_api.dynamodb, CountingDynamoDB)
    count = callbacks_api.dynamodb.restart()
    answer = await callbacks_api.post(*request)
    return answer.status, count.operations


@pytest.mark.parametrize(
    ("make", "first"), [(of_whatsapp, [READ, WRITE]), (of_twilio, [READ, WRITE]), (of_cashfree, [WRITE])]
)
async def test_a_callback_takes_two_round_trips_and_the_next_one(
    callbacks_api: CallbacksApi, make: Callable[[int], Request], first: list[str]
) -> None:
    assert await asked(callbacks_api, make(1)) == (200, first)
    assert await asked(callbacks_api, make(2)) == (200, [WRITE])
    _, repeated = await asked(callbacks_api, make(2))
    assert len(repeated) == 1


async def test_a_forged_callback_takes_one_read_and_no_write(callbacks_api: CallbacksApi) -> None:
    path, body, _ = of_whatsapp(1)

    assert await asked(callbacks_api, (path, body, {})) == (401, [READ])


async def test_a_batch_of_messages_takes_one_read_and_waits_for_its_writes_together(
    callbacks_api: CallbacksApi,
) -> None:
    assert isinstance(callbacks_api.dynamodb, CountingDynamoDB)
    body = body_of(change(messages=[message(f"wamid.{number}") for number in range(8)]))
    count = callbacks_api.dynamodb.restart()

    assert (await callbacks_api.post(WHATSAPP, body, by_meta(body))).status == 200

    assert (count.reads, len(count.exchanges), count.rounds) == (1, 9, 2)


def test_the_functions_start_without_what_few_callbacks_need() -> None:
    served = loaded("from functions.webhooks.handlers.callbacks_api import handler")
    worked = loaded("from functions.webhooks.handlers.callback_worker import handler")

    assert not served & (HEAVY | LOCAL)
    assert not worked & (HEAVY | LOCAL | {"fastapi", "starlette", "mangum"})
