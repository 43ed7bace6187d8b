"""The way of a person on the running stack, from a registration to a call of `/v1` and the rows of the audit log."""

import json
import time
from pathlib import Path
from typing import Any

import openai
import pytest

from callmissed.ids import new_id
from tests.support.local_stack import LocalStack

PASSWORD = "correct horse battery"
MAIL_SECONDS = 30.0


@pytest.fixture
def email() -> str:
    return f"{new_id('ada')}@example.com"


def mails(stack: LocalStack, email: str) -> list[dict[str, Any]]:
    """Mails to the address, oldest first."""
    folder: Path = stack.state / "outbox"
    found = [json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))]
    return [mail for mail in found if mail["to"] == email]


def code_of(stack: LocalStack, email: str, count: int = 1) -> str:
    """The code in the mail number `count` to the address."""
    give_up = time.monotonic() + MAIL_SECONDS
    while len(found := mails(stack, email)) < count:
        assert time.monotonic() < give_up, "the mail did not come"
        time.sleep(0.05)
    return found[count - 1]["subject"].rsplit(" ", 1)[-1]


def post(stack: LocalStack, path: str, body: Any, token: str = "none") -> Any:
    status, answer = stack.post(f"/api/v1{path}", body, Authorization=f"Bearer {token}")
    assert status in (200, 201), answer
    return answer


def get(stack: LocalStack, path: str, token: str) -> tuple[int, Any]:
    return stack.get(f"/api/v1{path}", Authorization=f"Bearer {token}")


def test_from_a_registration_to_a_call(stack: LocalStack, email: str) -> None:
    post(stack, "/auth/register", {"email": f" {email.title()} ", "password": PASSWORD, "full_name": "Ada"})
    confirmed = post(stack, "/auth/register/verify", {"email": email, "code": code_of(stack, email)})
    signed_in = post(stack, "/auth/login", {"email": email, "password": PASSWORD})
    token = signed_in["access_token"]
    status, me = get(stack, "/auth/me", token)
    assert (status, me["user"]["email"], me["user"]["role"]) == (200, email, "owner")

    key = post(stack, "/keys", {"name": "first", "mode": "test"}, token)
    client = openai.OpenAI(base_url=f"{stack.announcement['base_url']}/v1", api_key=key["key"])
    reply = client.chat.completions.create(model="sandbox", messages=[{"role": "user", "content": "Hello"}])
    assert reply.choices[0].message.content

    refreshed = post(stack, "/auth/refresh", {"refresh_token": signed_in["refresh_token"]})
    assert post(stack, "/auth/refresh", {"refresh_token": signed_in["refresh_token"]}) == refreshed
    status, events = get(stack, "/audit/events", token)
    actions = [event["action"] for event in events]
    assert status == 200
    assert {"user.register", "key.create"} <= set(actions)

    post(stack, "/auth/logout", {"refresh_token": refreshed["refresh_token"]})
    assert get(stack, "/auth/me", token)[0] == 401
    assert get(stack, "/auth/me", confirmed["access_token"])[0] == 200


def test_code_is_good_once_and_a_password_does_not_come_before_it(stack: LocalStack, email: str) -> None:
    post(stack, "/auth/register", {"email": email, "password": PASSWORD, "full_name": "Ada"})
    status, early = stack.post("/api/v1/auth/login", {"email": email, "password": PASSWORD})
    assert (status, json.loads(early)["error"]["code"]) == (403, "email_not_verified")
    answer = {"email": email, "code": code_of(stack, email)}
    post(stack, "/auth/register/verify", answer)

    status, again = stack.post("/api/v1/auth/register/verify", answer)

    assert (status, json.loads(again)["error"]["code"]) == (400, "invalid_code")


def test_key_opens_nothing_of_people(stack: LocalStack) -> None:
    status, refused = stack.get("/api/v1/auth/me")
    assert (status, json.loads(refused)["error"]["code"]) == (401, "invalid_api_key")
