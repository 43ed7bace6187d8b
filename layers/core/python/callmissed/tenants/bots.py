"""Keys of a tenant's bots: the bots slice owns their items, and others may ask whether one exists."""

from callmissed.aws.attributes import Item
from callmissed.aws.database import Database
from callmissed.platform.tables import BOTS

BOT = "BOT#"
"""Start of the sort key of a bot's item."""


def bot_key(tenant: str, bot_id: str) -> Item:
    """Key of a bot's item."""
    return {"tenant": tenant, "item": BOT + bot_id}


async def bot_exists(database: Database, tenant: str, bot_id: str) -> bool:
    """Whether the tenant has the bot. Raises Unavailable."""
    return bool(await database.get(BOTS, bot_key(tenant, bot_id)))
