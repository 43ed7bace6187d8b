"""Stored responses through the official OpenAI SDK."""

from collections.abc import AsyncIterator, Iterator

import openai
import pytest
import pytest_asyncio
from openai.types.responses import EasyInputMessageParam

from tests.support.inference.gateway import Account, Accounts
from tests.support.inference.upstream import FakeUpstream


@pytest_asyncio.fixture(scope="session")
async def account(accounts: Accounts) -> AsyncIterator[Account]:
    yield await accounts.account(credits=10_000)


@pytest.fixture
def client(base_url: str, account: Account) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=base_url, api_key=account.secret, max_retries=0) as client:
        yield client


def test_a_conversation_goes_on_by_ids_blocking_and_streaming(client: openai.OpenAI, upstream: FakeUpstream) -> None:
    first = client.responses.create(model="lab-chat", input="one")
    with client.responses.stream(model="lab-chat", input="two", previous_response_id=first.id) as stream:
        second = stream.get_final_response()
    third = client.responses.create(model="lab-chat", input="three", previous_response_id=second.id)

    assert third.previous_response_id == second.id
    contents = [message["content"] for message in upstream.requests[-1].body["messages"] if message["role"] == "user"]
    assert contents == ["one", "two", "three"]
    retrieved = client.responses.retrieve(second.id)
    assert (retrieved.id, retrieved.output_text, retrieved.status) == (second.id, second.output_text, "completed")


def test_input_items_page_by_themselves(client: openai.OpenAI, upstream: FakeUpstream) -> None:
    given = [EasyInputMessageParam(role="user", content=f"item {number}") for number in range(7)]
    response = client.responses.create(model="lab-chat", input=[*given])

    items = list(client.responses.input_items.list(response.id, limit=3, order="asc"))

    contents = [item.content[0] for item in items if item.type == "message"]
    assert [part.text for part in contents if part.type == "input_text"] == [f"item {number}" for number in range(7)]
    newest = client.responses.input_items.list(response.id, limit=1, include=["reasoning.encrypted_content"])
    assert newest.data[0].id == items[-1].id


def test_a_deleted_response_is_not_found(client: openai.OpenAI, upstream: FakeUpstream) -> None:
    response = client.responses.create(model="lab-chat", input="Hello")

    client.responses.delete(response.id)

    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(response.id)
    with pytest.raises(openai.NotFoundError) as missing:
        client.responses.create(model="lab-chat", input="And?", previous_response_id=response.id)
    assert missing.value.code == "previous_response_not_found"


def test_what_is_complete_can_not_be_cancelled_or_streamed_again(client: openai.OpenAI, upstream: FakeUpstream) -> None:
    response = client.responses.create(model="lab-chat", input="Hello")

    with pytest.raises(openai.BadRequestError):
        client.responses.cancel(response.id)
    with pytest.raises(openai.BadRequestError):
        client.responses.retrieve(response.id, stream=True)
