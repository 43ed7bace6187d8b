"""People of a running local stack: what they ask of it, and the mails that come to its outbox."""

import json
import time
from pathlib import Path
from typing import Any

from callmissed.ids import new_id
from tests.support.local_stack import LocalStack

PASSWORD = "correct horse battery"
MAIL_SECONDS = 30.0


def new_email() -> str:
    """An address that nobody has."""
    return f"{new_id('ada')}@example.com"


def registered(stack: LocalStack, email: str) -> Any:
    """The tokens of a new account."""
    post(stack, "/auth/register", {"email": email, "password": PASSWORD, "full_name": "Ada"})
    return post(stack, "/auth/register/verify", {"email": email, "code": code_of(stack, email)})


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
    """The answer to a request that succeeds."""
    status, answer = stack.post(f"/api/v1{path}", body, Authorization=f"Bearer {token}")
    assert status in (200, 201), answer
    return answer


def get(stack: LocalStack, path: str, token: str) -> tuple[int, Any]:
    """Status and answer of a request of the person with the token."""
    return stack.get(f"/api/v1{path}", Authorization=f"Bearer {token}")
