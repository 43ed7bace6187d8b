"""JSON of messages that Meta could not read is 422, and is neither stored nor sent."""

import pytest

from tests.support.bots.bots_api import BotTenant
from tests.support.bots.whatsapp_numbers import NumberedTenant

pytestmark = pytest.mark.asyncio(loop_scope="session")
PATH = "/api/v1/whatsapp/messages"


async def answered(key: BotTenant, numbered: NumberedTenant, path: str, fields: str) -> tuple[int, int]:
    """Status of the answer to a message with `fields`, and how many messages were stored."""
    conversation = await numbered.conversation()
    named = f'"phone_number_id": "{numbered.number.number_id}", "to": "{conversation.user.wa_id}"'
    answer = await key.call(
        "POST",
        PATH + path,
        content=f"{{{named}, {fields}}}".encode(),
        headers={"content-type": "application/json"},
    )
    return answer.status_code, len(await numbered.messages(conversation))


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("/location", '"latitude": NaN, "longitude": 0'),
        ("/location", '"latitude": 1, "longitude": 0, "name": "\\ud800"'),
        ("/interactive", '"interactive": {"type": "button", "body": {"text": "\\ud800"}}'),
        ("/interactive", '"interactive": {"type": NaN}'),
        ("/interactive", '"interactive": {"type": 1e999}'),
        ("/contacts", '"contacts": [{"name": {"formatted_name": "\\ud800", "first_name": "x"}}]'),
        ("/contacts", '"contacts": [{"name": {"formatted_name": "x", "first_name": Infinity}}]'),
    ],
)
async def test_odd_json_is_refused(key: BotTenant, numbered: NumberedTenant, path: str, fields: str) -> None:
    status, stored = await answered(key, numbered, path, fields)

    assert (status in (400, 422), stored) == (True, 0)


@pytest.mark.parametrize("depth", [17, 890, 905, 910, 915, 930, 960, 5_000])
async def test_deep_json_is_refused(key: BotTenant, numbered: NumberedTenant, depth: int) -> None:
    deep = "[" * depth + "]" * depth

    for path, fields in (
        ("/interactive", f'"interactive": {{"a": {deep}}}'),
        ("/contacts", f'"contacts": [{{"name": {deep}}}]'),
    ):
        status, stored = await answered(key, numbered, path, fields)
        assert (status in (400, 422), stored) == (True, 0)
