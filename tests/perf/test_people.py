"""What people's requests ask of DynamoDB: the one place that holds their counts, and the page about costs to them."""

import tomllib
from collections.abc import AsyncIterator

import pytest_asyncio

from bench import people
from bench.cost import DOCUMENT, PRICES
from callmissed.clock import system_clock
from callmissed.settings import CoreSettings
from functions.auth.authorizer import authorize, request_of
from local.aws.tables import StageTables
from tests.support.authorizer_requests import request
from tests.support.counting import CountingDynamoDB
from tests.support.inference.gateway import PEPPER, REGION
from tests.support.people import BROWSER, new_tenant
from tests.support.webhooks.callbacks import SEALING
from tests.support.whole_product import WholeProduct


@pytest_asyncio.fixture
async def counted(store: StageTables) -> AsyncIterator[CountingDynamoDB]:
    yield CountingDynamoDB(REGION, store.endpoint)


@pytest_asyncio.fixture
async def product(store: StageTables, counted: CountingDynamoDB) -> AsyncIterator[WholeProduct]:
    settings = CoreSettings(
        stage=store.stage,
        region=REGION,
        dynamodb_endpoint=store.endpoint,
        peppers=PEPPER.hex(),
        sealing_keys=SEALING,
    )
    product = WholeProduct(settings, dynamodb=counted)
    yield product
    await product.close()


async def test_call_of_a_person_is_authorized_by_one_read(product: WholeProduct, counted: CountingDynamoDB) -> None:
    owner = await new_tenant(product)
    asked = request_of(request(owner.tokens.access, "GET", "/api/v1/auth/me"))

    for _ in range(3):
        count = counted.restart()
        policy = await authorize(asked, product.accounts.authenticators, system_clock())
        assert policy["context"]["user_id"] == owner.user.user_id
        assert (count.rounds, count.reads, len(count.spans)) == (1, 1, 1)
        assert count.units == 3  # session, person and tenant, strongly consistent


async def test_forged_refresh_tokens_reach_no_table(product: WholeProduct, counted: CountingDynamoDB) -> None:
    owner = await new_tenant(product)
    head, _, _ = owner.tokens.refresh.rpartition(".")
    count = counted.restart()

    for text in (f"{head}.{'0' * 32}", "cmr_", "garbage", "é" * 20):
        await product.people.sessions.sign_out(text, BROWSER, system_clock())

    assert count.spans == []


async def test_refresh_is_one_read_and_one_write(product: WholeProduct, counted: CountingDynamoDB) -> None:
    owner = await new_tenant(product)
    count = counted.restart()

    await product.people.sessions.refresh(owner.tokens.refresh, BROWSER, system_clock())
    assert [operation.split(" ")[0] for operation in count.operations] == ["BatchGetItem", "UpdateItem"]
    assert (count.rounds, count.transactions) == (2, 0)

    count = counted.restart()
    await product.people.sessions.refresh(owner.tokens.refresh, BROWSER, system_clock())
    assert [operation.split(" ")[0] for operation in count.operations] == ["BatchGetItem"]


async def test_requests_of_people_take_what_the_page_about_costs_says(store: StageTables) -> None:
    requests = await people.count_all(store)

    assert {request.kind.name: request.counts for request in requests} == {
        # round trips, write units, read units; a further attempt within the hour costs a failed write more
        "register": (4, 5, 0),
        "verify": (6, 14, 2),
        "login": (5, 6, 3),
        "login_refused": (5, 3, 3),
        "login_with_factor": (6, 4, 5),
        "verify_factor": (5, 11, 3),
        "code_sent": (5, 4, 3),
        "code_login": (6, 9, 3),
        "refresh": (3, 2, 3),
        "session_call": (3, 0, 6),
    }
    page = DOCUMENT.read_text()
    assert people.documented(page, requests, tomllib.loads(PRICES.read_text())) == page, "run make cost"
