"""People who call the API of the running stack, each from an address of their own, and its operator."""

import json
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2

from callmissed.ids import new_id
from local.state.folder import StateFolder
from tests.support.local_stack import GUARD_SECONDS, LocalStack
from tests.support.operators import Operator


@dataclass
class Visitor:
    """Somebody with a mailbox at `email`, who calls `/api/v1` with the tokens of the last sign-in."""

    client: httpx2.Client
    email: str
    outbox: Path
    tokens: dict[str, Any] = field(default_factory=dict[str, Any])

    def send(self, method: str, path: str, body: Any = None) -> httpx2.Response:
        """The answer, whatever it is."""
        headers = {"Authorization": f"Bearer {token}"} if (token := self.tokens.get("access_token")) else {}
        return self.client.request(method, path, json=body, headers=headers)

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """The body of an answer that is no error."""
        answer = self.send(method, path, body)
        assert answer.is_success, (method, path, answer.text)
        return answer.json() if answer.content else None

    def get(self, path: str) -> Any:
        return self.call("GET", path)

    def post(self, path: str, body: Any = None) -> Any:
        return self.call("POST", path, body)

    def refusal(self, method: str, path: str, body: Any = None) -> tuple[int, str]:
        """Status and code of the error."""
        answer = self.send(method, path, body)
        assert answer.is_error, (method, path, answer.text)
        return answer.status_code, answer.json()["error"]["code"]

    def sign_in(self, path: str, body: Any) -> None:
        """Keep the tokens of the answer."""
        tokens = self.post(path, body)
        assert tokens["access_token"], tokens
        self.tokens = tokens

    def register(self) -> None:
        """A new account, confirmed by the code of the mail, and its first session."""
        self.post("/auth/register", {"email": self.email, "password": "correct horse battery", "full_name": "Ada"})
        self.sign_in("/auth/register/verify", {"email": self.email, "code": self.code()})

    def sign_out(self) -> None:
        """End the session. The access token stays, though it opens nothing."""
        self.post("/auth/logout", {"refresh_token": self.tokens["refresh_token"]})

    def mails(self) -> list[dict[str, Any]]:
        """Mails to the person, oldest first."""
        found = [json.loads(path.read_text()) for path in sorted(self.outbox.glob("*.json"))]
        return [mail for mail in found if mail["to"] == self.email]

    def mail(self, words: str) -> dict[str, Any]:
        """The latest mail whose subject has the words, once it has come."""
        give_up = time.monotonic() + GUARD_SECONDS
        while not (found := [mail for mail in self.mails() if words in mail["subject"]]):
            assert time.monotonic() < give_up, f"no mail about '{words}'"
            time.sleep(0.05)
        return found[-1]

    def code(self) -> str:
        """The code in the latest mail that has one."""
        return self.mail("code")["subject"].rsplit(" ", 1)[-1]


@contextmanager
def visiting(stack: LocalStack, name: str, address: str, user_agent: str = "a browser") -> Generator[Visitor]:
    """Somebody new at `address`, one of this machine's, so that nobody else uses up the limits of that network."""
    with httpx2.Client(
        base_url=f"{stack.announcement['base_url']}/api/v1",
        transport=httpx2.HTTPTransport(local_address=address),
        headers={"User-Agent": user_agent},
        timeout=GUARD_SECONDS,
    ) as client:
        yield Visitor(client, f"{new_id(name)}@example.com", stack.state / "outbox")


def as_operator(stack: LocalStack, path: str, body: Any) -> Any:
    """The body of the answer to a POST below `/api/v1/admin` that the stack's operator signed."""
    operator = Operator(secret=StateFolder(stack.state).secrets().operator_secret)
    sent = operator.signed("POST", f"/api/v1/admin{path}", body)
    url = stack.announcement["base_url"] + sent.path
    answer = httpx2.post(url, content=sent.body, headers=list(sent.headers), timeout=GUARD_SECONDS)
    assert answer.is_success, answer.text
    return answer.json()
