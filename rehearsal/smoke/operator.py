"""What an operator does on a new stage: a tenant with keys and an integration, and an event to try with."""

import json
import secrets
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from botocore.credentials import Credentials

from callmissed.aws.database import Database
from callmissed.clock import SECOND, Micros, iso, system_clock
from callmissed.events.outbox import Event, new_event, publish
from callmissed.events.types import EventData
from callmissed.integrations.credentials import WhatsAppCredentials
from callmissed.integrations.repository import Integrations
from callmissed.keys.management import KeyManager
from callmissed.keys.policy import KeyPolicy
from callmissed.keys.secret import Mode
from callmissed.platform.queues.sources import CALLBACK_SOURCE
from callmissed.platform.resources import PAYMENT_SECRETS, PEPPERS, SEALING_KEYS, Resource
from callmissed.sealing import Sealer
from callmissed.settings import CoreSettings
from local.aws.account import REGION
from local.fakes.cashfree.fake import FakeCashfree
from local.state.seed import SeededTenant, Seeder
from rehearsal.stage.engines import Engines
from rehearsal.templates.synthesis import STAGE

SHOP = "shop.example"


def _whatsapp() -> WhatsAppCredentials:
    """A number of its own: a number belongs to one tenant."""
    return WhatsAppCredentials(
        phone_number_id=str(secrets.randbits(48)),
        access_token="EAAG-rehearsal",  # noqa: S106 no real account's
        verify_token="rehearsal",  # noqa: S106 no real account's
        app_secret=secrets.token_hex(16),
    )


@dataclass(frozen=True, slots=True)
class StageOperator:
    """Works on the tables with all rights, beside the gate, as the command line does on a deployed stage."""

    engines: Engines
    database: Database
    whatsapp: WhatsAppCredentials = field(default_factory=_whatsapp)

    async def create_tenant(self) -> SeededTenant:
        """A tenant with credits, keys and a WhatsApp number."""
        tenant = await Seeder(self.database, self._keys(PEPPERS)[0]).create_tenant("Rehearsal")
        sealer = Sealer(self._keys(SEALING_KEYS))
        await Integrations(self.database).save(tenant.tenant, self.whatsapp, sealer, system_clock())
        return tenant

    def set_up_payments(self, cashfree: FakeCashfree) -> None:
        """Give the stage its account at the payment gateway."""
        account = {"CASHFREE_APP_ID": cashfree.state.app_id, "CASHFREE_SECRET_KEY": cashfree.state.secret_key}
        name, text = PAYMENT_SECRETS.physical_name(STAGE), json.dumps(account)
        self.engines.client("secretsmanager").put_secret_value(SecretId=name, SecretString=text)

    async def create_short_key(self, tenant: str) -> None:
        """A key for pages of `SHOP` that expires in a second."""
        now = system_clock()
        policy = KeyPolicy(domains=frozenset({SHOP}), expires=Micros(now + SECOND))
        manager = KeyManager(self.database, self._keys(PEPPERS)[0])
        await manager.create(tenant, name="short", mode=Mode.LIVE, policy=policy, now=now)

    async def revoke_keys(self, tenant: str) -> None:
        """Revoke all keys of a tenant."""
        manager = KeyManager(self.database, self._keys(PEPPERS)[0])
        for key in await manager.keys_of(tenant):
            await manager.revoke(tenant, key.key_id)

    async def publish(self, tenant: str, kind: type[EventData]) -> None:
        """Publish the example of an event type."""
        await publish(self.database, new_event(tenant, kind.model_validate(kind.example), system_clock()))

    async def store_callback(self, tenant: str, kind: str) -> None:
        """Store an empty callback of a provider, as the function `callbacks` does."""
        now = system_clock()
        body = json.dumps({"received": iso(now), "headers": {}, "text": ""})
        event = Event(f"cbk_{secrets.token_hex(16)}", tenant, kind, CALLBACK_SOURCE, now, body)
        await publish(self.database, event)

    def _keys(self, secret: Resource) -> tuple[bytes, ...]:
        found = self.engines.client("secretsmanager").get_secret_value(SecretId=secret.physical_name(STAGE))
        return tuple(bytes.fromhex(key) for key in found["SecretString"].split(","))


@asynccontextmanager
async def operating(engines: Engines) -> AsyncGenerator[StageOperator]:
    """The operator of the stage."""
    settings = CoreSettings(stage=STAGE, region=REGION, dynamodb_endpoint=engines.dynamodb_url)
    database = Database.connect(settings, Credentials("operator", "operator"))
    try:
        yield StageOperator(engines, database)
    finally:
        await database.dynamodb.close()
