"""API models of bots; docs/api/openapi.json is made from them."""

from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field

from callmissed.clock import iso
from callmissed.web.schemas import RequestModel
from functions.bots.bots.checks import ConfigObject, ReadableObject, warnings_of
from functions.bots.bots.config import DEFAULT_MODEL
from functions.bots.bots.credentials import MASK
from functions.bots.bots.records import Bot, BotType

BOT_ID = "019ac2a5-2f40-7c1e-9b3d-6f0a4d2c81e7"
TIME = "2026-11-25T09:30:00.000Z"
_PROMPT = "Instructions that every answer follows. A bot without any answers nothing."
_CONFIG = (
    "Fields that nobody knows are kept, and `config_warnings` names them. Values of credentials, at any depth, are "
    f"stored sealed and shown as `{MASK}`."
)
_EXAMPLE: dict[str, Any] = {
    "name": "Opening hours",
    "type": "whatsapp",
    "system_prompt": "You answer questions about our opening hours: 9 to 18, Monday to Saturday.",
    "config": {"model": DEFAULT_MODEL, "quiet_seconds": 3},
}


class NewBot(RequestModel):
    """A bot to create."""

    model_config = ConfigDict(json_schema_extra={"example": _EXAMPLE})

    name: str = Field(min_length=1, max_length=255)
    type: BotType = Field(description="Never changes.")
    system_prompt: str = Field(default="", max_length=50_000, description=_PROMPT)
    config: ConfigObject | None = Field(default=None, description=_CONFIG)


class BotChanges(RequestModel):
    """What to change of a bot. A field that is absent or null stays as it is."""

    model_config = ConfigDict(json_schema_extra={"example": {"system_prompt": _EXAMPLE["system_prompt"]}})

    name: str | None = Field(default=None, min_length=1, max_length=255)
    system_prompt: str | None = Field(default=None, max_length=50_000, description=_PROMPT)
    config: ConfigObject | None = Field(
        default=None,
        description=f"Replaces the whole configuration. {_CONFIG} A `{MASK}` that is sent back keeps the stored value; "
        "in an array, only of an element that is sent back unchanged.",
    )


class ConfigToCheck(RequestModel):
    """A configuration to check."""

    model_config = ConfigDict(json_schema_extra={"example": {"config": {"model": DEFAULT_MODEL, "tone": "warm"}}})

    config: ReadableObject


class ConfigCheckOut(BaseModel):
    """Outcome of a check of a configuration."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {"valid": True, "errors": [], "config_warnings": ["'tone' is no field that we know."]}
        }
    )

    valid: bool
    errors: list[dict[str, Any]] = Field(description="`loc` and `msg` of everything that is wrong.")
    config_warnings: list[str]


class BotOut(BaseModel):
    """A bot."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "id": BOT_ID,
                "tenant_id": "tnt_3f0c9b7e2d14a8c65b901e77",
                **_EXAMPLE,
                "config_warnings": [],
                "is_active": True,
                "conversation_count": 12,
                "created_at": TIME,
                "updated_at": TIME,
            }
        }
    )

    id: str
    tenant_id: str
    name: str
    type: BotType
    system_prompt: str
    config: dict[str, Any] | None = Field(description=f"Credentials are shown as `{MASK}`.")
    config_warnings: list[str] = Field(description="What the configuration has that may be a mistake.")
    is_active: bool = Field(description="False stores messages without an answer.")
    conversation_count: int
    created_at: str
    updated_at: str

    @classmethod
    def of(cls, bot: Bot) -> Self:
        """The bot as the API shows it."""
        return cls(
            id=bot.id,
            tenant_id=bot.tenant,
            name=bot.name,
            type=bot.type,
            system_prompt=bot.system_prompt,
            config=dict(bot.config) if bot.config is not None else None,
            config_warnings=warnings_of(bot.config),
            is_active=bot.is_active,
            conversation_count=bot.conversation_count,
            created_at=iso(bot.created),
            updated_at=iso(bot.updated),
        )


class ChannelCheckOut(BaseModel):
    """Outcome of a check at Meta or Twilio."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"channel_verified": True, "last_verified_at": TIME, "error_message": None}}
    )

    channel_verified: bool
    last_verified_at: str
    error_message: str | None
