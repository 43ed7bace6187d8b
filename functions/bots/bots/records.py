"""A bot's record and its stored form.

Items of the table `bots`, whose partition is the tenant:

    BOT#<id>     a bot. `config` is JSON text in which credentials are masked, `sealed` has the values of these
    COUNT#<id>   `n`: how many conversations the bot has had. It is an item of its own, because a write costs what the
                 whole item weighs, and prompts are long
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from callmissed.aws.attributes import Item
from callmissed.clock import Micros
from callmissed.tenants.bots import bot_key

COUNT = "COUNT#"
MAX_STORED_BYTES = 380 * 1024
"""Bound of a bot's texts: less than the 400 KB of an item."""

MAX_TOGGLES = 20
"""How many operations that toggled it a bot remembers."""


class BotType(StrEnum):
    """Type of a bot, which never changes."""

    WHATSAPP = "whatsapp"
    WHATSAPP_VOICE = "whatsapp_voice"
    INBOUND_CALL = "inbound_call"
    OUTBOUND_CALL = "outbound_call"
    IVR = "ivr"


@dataclass(frozen=True, slots=True)
class Bot:
    """A bot. Times are epoch microseconds.

    `config` is as the API shows it, `sealed` what its masks stand for (`functions.bots.bots.credentials`).
    `conversation_count` is 0 where nobody asked for it. `revision` counts changes, `toggled_by` has the operations
    that last toggled the bot.
    """

    tenant: str
    id: str
    name: str
    type: BotType
    system_prompt: str
    created: Micros
    updated: Micros
    config: Mapping[str, Any] | None = None
    sealed: str | None = None
    is_active: bool = True
    conversation_count: int = 0
    revision: int = 1
    toggled_by: tuple[str, ...] = ()

    @property
    def key(self) -> Item:
        """Key of the item."""
        return bot_key(self.tenant, self.id)


def count_key(tenant: str, bot_id: str) -> Item:
    """Key of the item that counts a bot's conversations."""
    return {"tenant": tenant, "item": COUNT + bot_id}


def to_bot_item(bot: Bot) -> Item:
    """The stored form. What is None is left out."""
    values: dict[str, Any] = {
        **bot.key,
        "id": bot.id,
        "name": bot.name,
        "type": str(bot.type),
        "system_prompt": bot.system_prompt,
        "created": bot.created,
        "updated": bot.updated,
        "config": None if bot.config is None else _config_text(bot.config),
        "sealed": bot.sealed,
        "is_active": bot.is_active,
        "rev": bot.revision,
        "toggled_by": list(bot.toggled_by) or None,
    }
    return {name: value for name, value in values.items() if value is not None}


def bot_of(item: Item, conversation_count: int = 0) -> Bot:
    """The bot of a stored item."""
    return Bot(
        tenant=item["tenant"],
        id=item["id"],
        name=item["name"],
        type=BotType(item["type"]),
        system_prompt=item["system_prompt"],
        created=Micros(item["created"]),
        updated=Micros(item["updated"]),
        config=json.loads(item["config"]) if "config" in item else None,
        sealed=item.get("sealed"),
        is_active=item["is_active"],
        conversation_count=conversation_count,
        revision=item["rev"],
        toggled_by=tuple(item.get("toggled_by", ())),
    )


def stored_bytes(bot: Bot) -> int:
    """Size of the bot's texts in the table."""
    texts = (bot.system_prompt, "" if bot.config is None else _config_text(bot.config), bot.sealed or "")
    return sum(len(text.encode()) for text in texts)


def _config_text(config: Mapping[str, Any]) -> str:
    return json.dumps(config, ensure_ascii=False, separators=(",", ":"))
