"""The model listing through the official SDKs."""

import pytest
import pytest_asyncio

from callmissed.catalog.loader import load_catalog
from tests.support.inference.gateway import Account, Accounts
from tests.support.sdks.interface import Sdk


@pytest_asyncio.fixture(scope="session")
async def account(accounts: Accounts) -> Account:
    return await accounts.account()


def test_the_list_has_every_model(sdk: Sdk, account: Account) -> None:
    listed = sdk.call(account.secret, "models.list")

    ids = [model["id"] for model in listed]
    assert {model.id for model in load_catalog().listed()} <= set(ids)
    assert {"lab-chat", "lab/with/slashes"} <= set(ids)
    assert len(ids) == len(set(ids))
    assert all(model["object"] == "model" and model["owned_by"] and model["created"] for model in listed)


@pytest.mark.parametrize("model", ["lab-chat", "lab/with/slashes", "anthropic/claude-opus-4.6", "saaras:v3"])
def test_one_model(sdk: Sdk, account: Account, model: str) -> None:
    retrieved = sdk.call(account.secret, "models.retrieve", model)

    assert (retrieved["id"], retrieved["object"]) == (model, "model")
    assert retrieved["pricing"]["currency"] == "USD"
    assert "supports_vision" in retrieved
