"""A few scenarios of each client of the API, against each kind of provider; `make compatibility` runs all of them."""

import pytest
import pytest_asyncio

from callmissed.keys.secret import Mode
from tests.support.clients import CLIENTS, SERVICE_CLIENTS, Client, run_client
from tests.support.inference.gateway import Account, Accounts
from tests.support.local_stack import LocalStack
from tests.support.model_server.server import WIRES


@pytest_asyncio.fixture(scope="session")
async def account(accounts: Accounts) -> Account:
    return await accounts.account(credits=10_000)


@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.name)
def test_client_works_with_each_kind_of_provider(stack: LocalStack, account: Account, client: Client) -> None:
    report = run_client(client, stack.announcement["base_url"], account.secret, client.smoke)

    assert list(report.failures()) == []
    assert len(report.faults) >= len(client.smoke or ())
    assert all(found.keys() == set(WIRES) for found in report.faults.values())


@pytest.mark.parametrize(
    "client", [each for each in SERVICE_CLIENTS if each.smoke != ()], ids=lambda client: client.name
)
async def test_client_has_the_services_beyond_text(stack: LocalStack, accounts: Accounts, client: Client) -> None:
    tester = await accounts.account(mode=Mode.TEST)

    report = run_client(client, stack.announcement["base_url"], tester.secret, client.smoke)

    assert list(report.failures()) == []
    assert report.faults
