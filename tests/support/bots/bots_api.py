"""The API of bots on real tables, and tenants who call it."""

from dataclasses import dataclass
from typing import Any

import httpx2
from starlette.types import ASGIApp, Receive, Scope, Send

from callmissed.aws.database import Database
from callmissed.aws.queues import Sending
from callmissed.clock import SECOND, Micros
from callmissed.idempotency.operation import Operation
from callmissed.ids import new_id
from callmissed.platform.routes import Role
from callmissed.settings import CoreSettings
from callmissed.web.request_context import RequestContextMiddleware
from functions.bots.handlers.api import create_app, create_services
from functions.bots.sealed_composition import SealedComposition, compose_sealed
from local.fakes.graph.accounts import NUMBER_ID, WABA_ID

NOW = Micros(1_795_599_000 * SECOND)  # 2026-11-25T09:30:00Z
RING = (bytes(range(32)),)
PATH = "/api/v1/bots"
NEW: dict[str, Any] = {"name": "Opening hours", "type": "whatsapp", "system_prompt": "We are open from 9 to 18."}


class MovingClock:
    """A clock that changes only when a test sets it."""

    def __init__(self) -> None:
        self.now: int = NOW

    def __call__(self) -> Micros:
        return Micros(self.now)


@dataclass
class BotTenant:
    """A tenant who calls the API, with a key or as a person."""

    id: str
    client: httpx2.AsyncClient

    async def call(
        self, method: str, path: str = "", *, operation: str = "", headers: dict[str, str] | None = None, **more: Any
    ) -> httpx2.Response:
        """The answer of `path`, below PATH unless it is absolute; `operation` is what a key would have made."""
        headers = {**(headers or {}), **({"x-operation": operation} if operation else {})}
        url = path if path.startswith("/api/") else PATH + path
        return await self.client.request(method, url, headers=headers, **more)

    async def bot(self, **fields: Any) -> dict[str, Any]:
        """A new bot."""
        created = await self.call("POST", json={**NEW, **fields})
        assert created.status_code == 201, created.text
        return created.json()


class BotsApi:
    """The application on the tables of `database`."""

    def __init__(self, database: Database, queue: Sending | None = None, **settings: Any) -> None:
        self.database = database
        self.clock = MovingClock()
        self.composition = composition_of(
            CoreSettings(stage=database.stage, sealing_keys=RING[0].hex(), allow_loopback=True, **settings), database
        )
        services = create_services(self.composition, queue=queue, clock=self.clock)
        self.app: ASGIApp = RequestContextMiddleware(create_app(services))

    def tenant(self, id: str | None = None, **caller: str) -> BotTenant:
        """A tenant whose caller is a key, or as `caller` says."""
        id = new_id("tnt") if id is None else id
        transport = httpx2.ASGITransport(app=self._as_caller({"tenant": id, **(caller or KEY)}))
        return BotTenant(id, httpx2.AsyncClient(transport=transport, base_url="http://api"))

    async def close(self) -> None:
        """Close the connections to providers."""
        await self.composition.http.close()

    def _as_caller(self, authorizer: dict[str, str]) -> ASGIApp:
        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            named = dict(scope["headers"]).get(b"x-operation")
            begun = dict(scope["headers"]).get(b"x-begun")
            first = Micros(int(begun)) if begun else None
            state = {"operation": Operation(named.decode(), first) if named else Operation.new()}
            await self.app(
                {**scope, "aws.event": {"requestContext": {"authorizer": authorizer}}, "state": state}, receive, send
            )

        return app


KEY = {"key_id": "key_of_tests", "mode": "live"}
OWNER = {"user_id": "usr_of_tests", "session_id": "ses_of_tests", "role": str(Role.OWNER)}


def composition_of(settings: CoreSettings, database: Database) -> SealedComposition:
    """The dependencies of a process that uses this `database`."""
    composition = compose_sealed(settings)
    composition.__dict__["database"] = database
    return composition


def refused(response: httpx2.Response, status: int, code: str) -> dict[str, Any]:
    """Check that `response` is this refusal in the platform's envelope; returns the error."""
    assert response.status_code == status, response.text
    error = response.json()["error"]
    assert error["code"] == code, error
    assert error["message"]
    assert error["request_id"] == response.headers["x-request-id"]
    assert ("details" in error) == (status == 422)
    return error


PROOF: dict[str, Any] = {"waba_id": WABA_ID, "phone_number_id": NUMBER_ID, "access_token": "EAAstandin"}
"""What proves the number of the stand-in for Graph."""
