"""What a turn knows: the bot, the number, the tenant's plan where it matters, and the latest messages."""

import asyncio
from dataclasses import dataclass
from typing import Self

from callmissed.aws.database import Database
from callmissed.plans.plans import Plan, limits
from callmissed.platform.tables import BOTS, TENANTS
from callmissed.tenants.bots import bot_key
from callmissed.tenants.tenants import tenant_key
from functions.bots.bots.config import BotConfig
from functions.bots.bots.records import Bot, bot_of
from functions.bots.conversations.records import StoredConversation
from functions.bots.conversations.transcript import Transcript
from functions.bots.numbers.records import PhoneNumber, number_key, number_of


@dataclass(frozen=True, slots=True)
class TurnContext:
    """What one round of a turn reads, in two round trips at the same time."""

    number: PhoneNumber | None
    bot: Bot | None
    config: BotConfig
    max_conversations: int
    transcript: Transcript

    @classmethod
    async def read(cls, database: Database, conversation: StoredConversation) -> Self:
        """The context of a leased conversation. The number's own bot answers, whoever began. Raises Unavailable."""
        (number, bot, plan), transcript = await asyncio.gather(
            _read_items(database, conversation), Transcript.read(database, conversation)
        )
        config = BotConfig.of(bot.config if bot else None)
        return cls(number, bot, config, limits(plan).conversations, transcript)


async def _read_items(
    database: Database, conversation: StoredConversation
) -> tuple[PhoneNumber | None, Bot | None, Plan]:
    """The number, its bot, and the plan of the tenant of a conversation that does not count yet."""
    tenant, bot_id = conversation.tenant, conversation.bot_id
    keys = [(BOTS, number_key(tenant, conversation.number_id))]
    keys += [(BOTS, bot_key(tenant, bot_id))] if bot_id else []
    keys += [(TENANTS, tenant_key(tenant))] if conversation.counted is None else []
    items = await database.get_across(*keys)
    number = number_of(items[0]) if items[0] else None
    plan = next((Plan(item["plan"]) for item in items[1:] if "plan" in item), Plan.FREE)
    if number is None or number.bot_id is None:
        return number, None, plan
    if number.bot_id == bot_id:
        return number, bot_of(items[1]) if items[1] else None, plan
    item = await database.get(BOTS, bot_key(tenant, number.bot_id))
    return number, bot_of(item) if item else None, plan
