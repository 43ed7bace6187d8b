"""Tenants with numbers and bots, and the end users who write to them."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

from bench.ours import PEPPER
from bench.whatsapp.moments import MovedClock
from bench.whatsapp.worker import SEALER
from callmissed.aws.database import Database
from callmissed.clock import SECOND
from callmissed.ids import new_id
from callmissed.integrations.credentials import WhatsAppCredentials
from callmissed.integrations.repository import Integrations
from callmissed.ledger.grants import grant
from callmissed.money import CREDIT, MicroCredits
from callmissed.plans.plans import Plan
from callmissed.platform.tables import BOTS
from callmissed.sealing import Sealer
from callmissed.tenants.tenants import create_tenant
from functions.bots.bots.records import Bot, BotType, to_bot_item
from functions.bots.numbers.records import PhoneNumber, to_number_item
from local.fakes.graph.accounts import GraphApp, GraphNumber
from local.fakes.graph.fake import FakeGraph
from local.fakes.graph.phones import PhoneUser

TENANTS = 4
CREDITS = 1_000
MODEL = "sandbox"
_BURST_SHARE = 0.3
_PAUSE_SECONDS = (2, 15)
_BEGIN_WITHIN = 10 * SECOND


@dataclass(frozen=True, slots=True)
class Shop:
    """A tenant with a number at Meta and a bot."""

    tenant: str
    number_id: str


@dataclass(slots=True)
class Customer:
    """An end user of one shop, and the wamids of what was said."""

    shop: Shop
    phone: PhoneUser
    said: list[str] = field(default_factory=list[str])


@dataclass(frozen=True, order=True, slots=True)
class PlannedText:
    """A text that a customer, by number, writes at a moment."""

    at: int
    customer: int
    text: str


async def open_shops(database: Database, graph: FakeGraph, clock: MovedClock, count: int = TENANTS) -> list[Shop]:
    """New tenants with credits, each with a number and a bot that answers it."""
    return [await open_shop(database, graph, clock, number) for number in range(count)]


async def open_shop(database: Database, graph: FakeGraph, clock: MovedClock, number: int, model: str = MODEL) -> Shop:
    """A new tenant whose bot asks `model`."""
    now = clock()
    tenant = (await create_tenant(database, name=f"Shop {number}", plan=Plan.PRO, now=now)).tenant_id
    await grant(database, tenant=tenant, amount=MicroCredits(CREDITS * CREDIT), operation_id="seed", now=now)
    number_id, token, secret = f"55500{number:04d}", f"EAAG-shop-{number}", f"secret of shop {number}"
    app = GraphApp(secret, app_id=f"app-{number}")
    graph.add_account(app, f"waba-{number}", [GraphNumber(number_id)], token)
    credentials = {"phone_number_id": number_id, "access_token": token, "app_secret": secret}
    stored = WhatsAppCredentials.model_validate({**credentials, "verify_token": "blue-kettle"})
    await Integrations(database).save(tenant, stored, Sealer((bytes.fromhex(PEPPER),)), now)
    bot = Bot(
        tenant, new_id("bot"), "Help", BotType.WHATSAPP, "You sell bread.", now, now, config=_config(number, model)
    )
    await database.put(BOTS, to_bot_item(bot))
    record = PhoneNumber(
        tenant=tenant,
        id=new_id("num"),
        account_id=new_id("acc"),
        waba_id=f"waba-{number}",
        number_id=number_id,
        display_phone_number="+91 80000 00001",
        verified_name="Shop",
        token=SEALER.seal(token),
        created=now,
        bot_id=bot.id,
    )
    await database.put(BOTS, to_number_item(record))
    return Shop(tenant, number_id)


def _config(number: int, model: str) -> dict[str, object]:
    """The shops wait differently long for the next message."""
    return {"model": model, "quiet_seconds": number % TENANTS, "failure_text": "Sorry, something went wrong."}


def customers(graph: FakeGraph, shops: Sequence[Shop], count: int) -> list[Customer]:
    """`count` conversations to be; every shop has the same people as customers."""
    return [
        Customer(shop, graph.phone(f"9198000{number // len(shops):05d}", name="Asha", number_id=shop.number_id))
        for number in range(count)
        for shop in [shops[number % len(shops)]]
    ]


def arrivals(draw: random.Random, count: int, customers: int, start: int) -> list[PlannedText]:
    """`count` texts from `start` on: each customer writes in bursts and with pauses, all at the same time."""
    made: list[PlannedText] = []
    each = -(-count // customers)
    for customer in range(customers):
        at = start + draw.randrange(_BEGIN_WITHIN)
        for number in range(min(each, count - len(made))):
            made.append(
                PlannedText(at, customer, f"Question {number} of {customer}: what does loaf {draw.random()} cost?")
            )
            is_burst = draw.random() < _BURST_SHARE
            at += (draw.randrange(3) if is_burst else draw.randrange(*_PAUSE_SECONDS)) * SECOND
    return sorted(made)
