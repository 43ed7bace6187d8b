"""Embeddings through the official SDKs, which ask for base64 and decode it by default."""

from typing import Any

import pytest
import pytest_asyncio

from callmissed.keys.secret import Mode
from tests.support.inference.behaviours import fails
from tests.support.inference.gateway import Account, Accounts
from tests.support.inference.upstream import FakeUpstream
from tests.support.sdks.interface import Sdk, SdkError

CREATE = "embeddings.create"
VECTORS = [[1.0, 0.5, -0.25, 0.0], [1.0, 0.5, -0.25, 1.0]]


@pytest_asyncio.fixture(scope="session")
async def account(accounts: Accounts) -> Account:
    return await accounts.account()


def vectors_of(answer: Any) -> list[list[float]]:
    return [each["embedding"] for each in answer["data"]]


@pytest.mark.parametrize("encoding", [{}, {"encoding_format": "float"}], ids=["default", "float"])
def test_vectors_arrive_as_numbers(
    sdk: Sdk, account: Account, upstream: FakeUpstream, encoding: dict[str, Any]
) -> None:
    answer = sdk.call(account.secret, CREATE, model="lab-embedding", input=["Hello", "there"], **encoding)

    assert vectors_of(answer) == VECTORS


def test_sandbox_honours_dimensions(sdk: Sdk, account: Account) -> None:
    answer = sdk.call(account.secret, CREATE, model="sandbox-embedding", input="Hello there", dimensions=64)

    (vector,) = vectors_of(answer)
    assert len(vector) == 64
    assert sum(number * number for number in vector) == pytest.approx(1.0, abs=1e-5)


async def test_test_key_gets_vectors_of_the_models_size(sdk: Sdk, accounts: Accounts) -> None:
    tester = await accounts.account(mode=Mode.TEST)

    answer = sdk.call(tester.secret, CREATE, model="text-embedding-3-large", input="Hello")

    assert [len(vector) for vector in vectors_of(answer)] == [3072]


def test_refusal_is_the_sdks_own_error(sdk: Sdk, account: Account, upstream: FakeUpstream) -> None:
    upstream.will(fails(400, param="input"))

    with pytest.raises(SdkError) as refused:
        sdk.call(account.secret, CREATE, model="lab-embedding", input="Hello")

    assert (refused.value.status, refused.value.param) == (400, "input")
