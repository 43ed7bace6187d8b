"""The smoke test of people: from a registration to a key that the owner made."""

import asyncio
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from rehearsal.errors import SmokeError

_AUTH = "/api/v1/auth"
_EMAIL = "ada@rehearsal.example"
_PASSWORD = "correct horse battery"  # noqa: S105  of an account that lives for a minute
_MAIL_SECONDS = 30.0


class ApiCalls(Protocol):
    """Calls the API, with `headers` in the place of its own credentials."""

    async def call(
        self, method: str, path: str, body: Any = None, *, headers: Mapping[str, str] | None = None, expected: int = 200
    ) -> str:
        """Text of the answer. Raises SmokeError for another status than `expected`."""
        ...


async def use_people(caller: ApiCalls, outbox: Path) -> None:
    """Register, confirm by the code of the mail, sign in again, make a key, sign out. Raises SmokeError."""
    form = {"email": _EMAIL, "password": _PASSWORD, "full_name": "Ada"}
    await caller.call("POST", f"{_AUTH}/register", form)
    confirmation = {"email": _EMAIL, "code": await _code(outbox)}
    await caller.call("POST", f"{_AUTH}/register/verify", confirmation)
    await caller.call("POST", f"{_AUTH}/login", {"email": _EMAIL, "password": "wrong"}, expected=401)
    signed_in = json.loads(await caller.call("POST", f"{_AUTH}/login", {"email": _EMAIL, "password": _PASSWORD}))
    token = {"refresh_token": signed_in["refresh_token"]}
    refreshed = json.loads(await caller.call("POST", f"{_AUTH}/refresh", token))
    own = {"Authorization": f"Bearer {refreshed['access_token']}"}
    await caller.call("GET", f"{_AUTH}/me", headers=own)
    await caller.call("PATCH", f"{_AUTH}/me", {"full_name": "Ada L."}, headers=own)
    await caller.call("DELETE", f"{_AUTH}/sessions", headers=own)
    created = {**own, "Idempotency-Key": "key"}
    key = json.loads(await caller.call("POST", "/api/v1/keys", {"name": "first"}, headers=created, expected=201))
    await caller.call("GET", "/v1/models", headers={"Authorization": f"Bearer {key['key']}"})
    await caller.call("GET", "/api/v1/audit/events", headers=own)
    await caller.call("POST", f"{_AUTH}/logout", {"refresh_token": refreshed["refresh_token"]})
    await caller.call("GET", f"{_AUTH}/me", headers=own, expected=401)


async def sign_in(caller: ApiCalls) -> dict[str, str]:
    """Headers of a new session of the person whom `use_people` registered."""
    signed_in = json.loads(await caller.call("POST", f"{_AUTH}/login", {"email": _EMAIL, "password": _PASSWORD}))
    return {"Authorization": f"Bearer {signed_in['access_token']}"}


async def _code(outbox: Path) -> str:
    """The code of the only mail. Raises SmokeError when none comes."""
    deadline = time.monotonic() + _MAIL_SECONDS
    while time.monotonic() < deadline:
        if subjects := _subjects(outbox):
            return subjects[0].rsplit(" ", 1)[-1]
        await asyncio.sleep(0.1)
    raise SmokeError("the mail with the code did not come")


def _subjects(outbox: Path) -> list[str]:
    return [json.loads(mail.read_text())["subject"] for mail in outbox.glob("*.json")]
