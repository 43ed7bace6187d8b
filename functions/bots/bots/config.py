"""A bot's configuration: the fields that we read, and their defaults."""

from collections.abc import Mapping
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator

DEFAULT_MODEL = "gemma-4-26b-a4b-it"
OPT_OUT_WORDS = ("STOP", "UNSUBSCRIBE", "बंद करो", "रोकें", "நிறுத்து")
OPT_IN_WORDS = ("START", "शुरू करो", "शुरू", "தொடங்கு")
HANDOFF_PHRASES = (
    "talk to a person",
    "talk to a human",
    "speak to a human",
    "speak to an agent",
    "human agent",
    "किसी इंसान से बात",
    "மனிதரிடம் பேச",
)
_OUTCOME_FIELDS = ("channel_verified", "last_verified_at", "error_message")
_CHANNEL_FIELDS = ("phone_number_id", "access_token", "account_sid", "auth_token")
_MAX_PHRASES, _MAX_PHRASE_LENGTH = 50, 100
_NUMBERS = ("quiet_seconds", "max_turns_per_conversation", "max_turns_per_day", "max_reply_tokens")


class BotConfig(BaseModel):
    """Configuration of a bot. Unknown fields are kept, and warned of."""

    model_config = ConfigDict(frozen=True, extra="allow")

    model: str = Field(
        default=DEFAULT_MODEL, min_length=1, max_length=200, description="Id of the chat model that answers."
    )
    language: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}$",
        description="Language of the answers, such as `hi-IN`. Null follows the end user's.",
    )
    greeting: str | None = Field(
        default=None,
        min_length=1,
        max_length=4096,
        description="Text that goes before the first answer to an end user.",
    )
    failure_text: str | None = Field(
        default=None,
        min_length=1,
        max_length=4096,
        description="Text that an end user gets when the bot can't answer, once an hour at most.",
    )
    quiet_seconds: int = Field(
        default=3, ge=0, le=30, description="Seconds without a further message after which the bot answers them all."
    )
    max_turns_per_conversation: int = Field(default=200, ge=1, le=10_000, description="Answers of one conversation.")
    max_turns_per_day: int = Field(
        default=100, ge=1, le=10_000, description="Answers of one conversation in a day (UTC)."
    )
    max_reply_tokens: int = Field(default=1024, ge=1, le=8192, description="Output limit of each answer, in tokens.")
    opt_out_words: tuple[str, ...] = Field(
        default=OPT_OUT_WORDS,
        max_length=_MAX_PHRASES,
        description="Messages after which the bot is silent. The whole message counts, without case and punctuation.",
    )
    opt_in_words: tuple[str, ...] = Field(
        default=OPT_IN_WORDS, max_length=_MAX_PHRASES, description="Messages after which the bot answers again."
    )
    handoff_phrases: tuple[str, ...] = Field(
        default=HANDOFF_PHRASES,
        max_length=_MAX_PHRASES,
        description="Words by which an end user asks for a person; a message has them in this order, anywhere.",
    )
    handoff_text: str | None = Field(
        default="A colleague will answer you here.",
        min_length=1,
        max_length=4096,
        description="Text that an end user gets who asks for a person. Null sends none.",
    )
    phone_number_id: str | None = Field(
        default=None, min_length=1, max_length=100, description="Meta's id of the number that `deploy/verify` asks for."
    )
    access_token: str | None = Field(default=None, min_length=1, max_length=1024, description="Meta's access token.")
    account_sid: str | None = Field(default=None, min_length=1, max_length=100, description="Account at Twilio.")
    auth_token: str | None = Field(default=None, min_length=1, max_length=255, description="Its auth token.")
    channel_verified: bool | None = Field(default=None, description="Written by `deploy/verify`.")
    last_verified_at: str | None = Field(default=None, max_length=40, description="Written by `deploy/verify`.")
    error_message: str | None = Field(default=None, max_length=1000, description="Written by `deploy/verify`.")

    @field_validator(*_NUMBERS, mode="before")
    @classmethod
    def is_a_number(cls, value: Any) -> Any:
        """Refuse what pydantic would convert: a flag, a text, a fraction."""
        if not isinstance(value, int) or isinstance(value, bool):
            raise ValueError("an integer is needed")
        return value

    @field_validator("opt_out_words", "opt_in_words", "handoff_phrases")
    @classmethod
    def has_words(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        """Refuse what no message can be."""
        if not all(len(each) <= _MAX_PHRASE_LENGTH and any(map(str.isalnum, each)) for each in value):
            raise ValueError("each is 1 to 100 characters, letters or digits among them")
        return value

    @classmethod
    def of(cls, config: Mapping[str, Any] | None) -> Self:
        """The configuration of a stored bot. Masks stand for credentials; a bot without one has the defaults."""
        return cls.model_validate(config or {})


def checked_channel(config: Mapping[str, Any], values: Mapping[tuple[str | int, ...], Any]) -> dict[str, Any]:
    """What `deploy/verify` checks of a masked configuration, whose masks stand for `values`."""
    return {name: values.get((name,), config.get(name)) for name in _CHANNEL_FIELDS}


def with_outcome(config: Mapping[str, Any], stored: Mapping[str, Any]) -> dict[str, Any]:
    """`config`, in which the fields that only `deploy/verify` writes are those of `stored`."""
    written = {name: stored.get(name) for name in _OUTCOME_FIELDS if name in config}
    unknown = {name for name in written if name not in stored}
    return {name: written.get(name, value) for name, value in config.items() if name not in unknown}
