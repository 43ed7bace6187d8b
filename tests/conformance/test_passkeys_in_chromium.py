"""Passkeys as a browser makes them: headless Chromium, its virtual authenticator, and the running local stack."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from callmissed.aws.database import Database
from callmissed.aws.dynamodb import DynamoDB
from callmissed.clock import system_clock
from local.aws.account import STAGE
from tests.support.chromium import Page, chromium
from tests.support.inference.gateway import REGION
from tests.support.local_stack import LocalStack
from tests.support.people import new_owner_with_password
from tests.support.sign_in import PASSWORD

ADDRESS = "127.0.0.77"
"""Whose limits no other test uses up."""
CREATE = """async (options) => {
  const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(options);
  return (await navigator.credentials.create({publicKey})).toJSON();
}"""
GET = """async (options) => {
  const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(options);
  return (await navigator.credentials.get({publicKey})).toJSON();
}"""


@pytest.fixture
def page(local_stack: LocalStack, tmp_path: Path) -> Iterator[Page]:
    """A page of the local stack under the name to which its passkeys belong."""
    with chromium(tmp_path) as page:
        page.open(local_stack.announcement["localhost_url"])
        yield page


@pytest.fixture
def email(local_stack: LocalStack) -> str:
    """The address of somebody with a password."""

    async def create() -> str:
        dynamodb = DynamoDB(REGION, local_stack.announcement["endpoints"]["dynamodb"], timeout_seconds=20)
        try:
            return (await new_owner_with_password(Database(dynamodb, STAGE), system_clock())).email
        finally:
            await dynamodb.close()

    return asyncio.run(create())


class Console:
    """Calls the API for a page."""

    def __init__(self, base_url: str) -> None:
        self._client = httpx2.Client(
            base_url=f"{base_url}/api/v1/auth/", transport=httpx2.HTTPTransport(local_address=ADDRESS), timeout=60
        )

    def call(self, method: str, path: str, body: Any = None, token: str = "") -> Any:
        """The body of the answer."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        answer = self._client.request(method, path, json=body, headers=headers)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def close(self) -> None:
        self._client.close()


@pytest.fixture
def console(local_stack: LocalStack) -> Iterator[Console]:
    console = Console(local_stack.announcement["base_url"])
    yield console
    console.close()


def test_passkey_of_a_browser_is_registered_and_completes_sign_ins(page: Page, console: Console, email: str) -> None:
    credentials = {"email": email, "password": PASSWORD}
    token = console.call("POST", "login", credentials)["access_token"]

    begun = console.call("POST", "passkey/register/options", {}, token)
    credential = page.run(CREATE, begun["options"])
    path = f"passkey/register/verify?registration_token={begun['registration_token']}"
    passkey = console.call("POST", path, {"credential": credential, "name": "Chromium"}, token)
    assert passkey["transports"] == "internal"

    for _ in range(2):  # the second time with a sign count that has grown
        challenge = console.call("POST", "login", credentials)
        assert (challenge["access_token"], challenge["methods"]) == (None, ["passkey"])
        answer = {"credential": page.run(GET, challenge["passkey_options"])}
        body = answer | {"challenge_token": challenge["challenge_token"]}
        tokens = console.call("POST", "passkey/login/verify", body)
        assert console.call("GET", "me", token=tokens["access_token"])["user"]["email"] == email

    [listed] = console.call("GET", "passkey/list", token=token)
    assert listed["last_used_at"]
