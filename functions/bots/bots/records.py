"""A bot's record and its stored form.

Items of the table `bots`, whose partition is the tenant: `BOT#<id>`. `config` is JSON text in which the values of
credentials are sealed. `rev` counts changes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from callmissed.aws.attributes import Item
from callmissed.clock import Micros

BOT = "BOT#"


class BotType(StrEnum):
    """Type of a bot, which never changes."""

    WHATSAPP = "whatsapp"
    WHATSAPP_VOICE = "whatsapp_voice"
    INBOUND_CALL = "inbound_call"
    OUTBOUND_CALL = "outbound_call"
    IVR = "ivr"


@dataclass(frozen=True, slots=True)
class Bot:
    """A bot as it is stored: `config` has the secrets sealed. Times are epoch microseconds."""

    tenant: str
    id: str
    name: str
    type: BotType
    system_prompt: str
    config: Mapping[str, Any] | None
    is_active: bool
    conversation_count: int
    revision: int
    created: Micros
    updated: Micros


def bot_key(tenant: str, bot_id: str) -> Item:
    """Key of a bot's item."""
    return {"tenant": tenant, "item": BOT + bot_id}
