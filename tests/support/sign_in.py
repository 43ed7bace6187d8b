"""Public routes of accounts as a browser calls them, with the mails that they cause."""

import itertools
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from callmissed.audit.events import Actor, ActorKind
from callmissed.aws.database import Database
from callmissed.clock import SECOND, Micros
from callmissed.platform.tables import AUDIT
from callmissed.sealing import Sealer
from callmissed.settings import CoreSettings
from functions.auth.mail.jobs import NOTHING, MailJob, parse
from local.aws.tables import StageTables
from tests.support.inference.gateway import PEPPER
from tests.support.webhooks.callbacks import SEALING
from tests.support.whole_product import Reply, Sent, WholeProduct, ask

PASSWORD = "correct horse battery"
CONSOLE = "https://console.example.com"
BROWSER = Actor(ActorKind.PERSON, "", "203.0.113.7", "a browser")
_START = Micros(1_795_599_000 * SECOND)
_numbers = itertools.count(1)


def settings_of(tables: StageTables, **more: Any) -> CoreSettings:
    """Settings of a stage over `tables`, on which this machine may be called."""
    base = CoreSettings(
        stage=tables.stage,
        region="us-east-1",
        dynamodb_endpoint=tables.endpoint,
        peppers=PEPPER.hex(),
        sealing_keys=SEALING,
        allow_loopback=True,
        console_url=CONSOLE,
    )
    return replace(base, **more)


@dataclass
class SettableClock:
    """A clock that stands until it is moved."""

    now: Micros = _START

    def __call__(self) -> Micros:
        return self.now

    def pass_seconds(self, seconds: float) -> None:
        self.now = Micros(self.now + round(seconds * SECOND))


class SignInPages:
    """The public routes of `product`. Each call comes from an address of its own, unless `ip_address` names one."""

    def __init__(self, product: WholeProduct, clock: SettableClock) -> None:
        self.product = product
        self.clock = clock
        self._sealer = Sealer((bytes.fromhex(SEALING),))

    @property
    def database(self) -> Database:
        return self.product.database

    async def post(self, path: str, body: Mapping[str, Any], *, ip_address: str = "") -> Reply:
        return await self.send(path, json.dumps(body).encode(), ip_address=ip_address)

    async def send(self, path: str, body: bytes, *, ip_address: str = "") -> Reply:
        number = next(_numbers)
        address = ip_address or f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
        headers = [("Content-Type", "application/json")]
        sent = Sent("POST", f"/api/v1/auth/{path}", headers, body)
        return await ask(self.product.gateway, sent, client=(address, 4711))

    async def registered(self, email: str, password: str = PASSWORD, **more: Any) -> Reply:
        return await self.post("register", {"email": email, "password": password, "full_name": "Ada", **more})

    async def account(self, email: str, password: str = PASSWORD) -> dict[str, Any]:
        """The tokens of a new, confirmed account."""
        await self.registered(email, password)
        return body_of(await self.post("register/verify", {"email": email, "code": self.code()}))

    async def login(self, email: str, password: str = PASSWORD) -> Reply:
        return await self.post("login", {"email": email, "password": password})

    async def me(self, tokens: Mapping[str, Any]) -> Reply:
        sent = Sent("GET", "/api/v1/auth/me", [("Authorization", f"Bearer {tokens['access_token']}")])
        return await self.product.through_local_gateway(sent)

    @property
    def queued(self) -> list[MailJob]:
        """All jobs of mails, those that send nothing too."""
        return [parse(body, self._sealer) for body in self.product.mails.bodies]

    @property
    def mails(self) -> list[MailJob]:
        """The mails so far."""
        return [job for job in self.queued if job.name != NOTHING]

    def code(self) -> str:
        """The code of the latest mail that has one."""
        return next(job.parameters["code"] for job in reversed(self.mails) if "code" in job.parameters)

    async def actions(self, tenant: str) -> list[tuple[str, Mapping[str, Any]]]:
        """Action and metadata of a tenant's audit rows, oldest first."""
        items = [item async for item in self.database.query(AUDIT, tenant, consistent=True)]
        return [(item["action"], item["metadata"]) for item in items]


def body_of(reply: Reply) -> dict[str, Any]:
    assert reply.status == 200, (reply.status, reply.body)
    return json.loads(reply.body)


def new_address() -> str:
    """An address that nobody has."""
    return f"person{next(_numbers)}@example.com"
