"""A request for speech: OpenAI's fields, and the language and sample rate that others have beside them."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, field_validator

from callmissed_ai.audio.formats import AudioFormat, SampleRate, default_rate
from callmissed_ai.tokens.blanks import is_blank

MAX_CHARACTERS = 10_000
"""Code points of one text: about ten minutes of speech."""


class VoiceId(BaseModel):
    """A voice by its id."""

    model_config = ConfigDict(strict=True, extra="forbid")

    id: Annotated[str, Field(min_length=1, max_length=200)]


_Voice = Annotated[
    Annotated[str, Field(min_length=1, max_length=200), Tag("<text>")] | Annotated[VoiceId, Tag("<object>")],
    Discriminator(lambda value: "<object>" if isinstance(value, dict | VoiceId) else "<text>"),
]
"""The kind is found out first, so that an error names the field of the one that was meant."""


class SpeechRequest(BaseModel):
    """A text to be spoken. Null is the same as no value."""

    model_config = ConfigDict(strict=True, extra="forbid")

    model: str = Field(min_length=1, max_length=200)
    input: str = Field(min_length=1, max_length=MAX_CHARACTERS, description="Billed by its code points.")
    voice: _Voice | None = Field(
        default=None, description="A voice of the model; another one is replaced by the model's default."
    )
    language: Annotated[str, Field(pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}$")] | None = Field(
        default=None, description="Such as `hi-IN`, where the model has to know it."
    )
    speed: Annotated[float, Field(ge=0.5, le=2.0)] | None = Field(default=None, description="1.0 where it is null.")
    speech_sample_rate: SampleRate | None = Field(
        default=None, description="Samples a second: 24,000 where it is null, 8,000 for mulaw and alaw."
    )
    response_format: AudioFormat | None = Field(default=None, description="`mp3` where it is null.")
    instructions: Annotated[str, Field(max_length=2_000)] | None = Field(
        default=None, description="How to speak, for models that take instructions."
    )
    stream_format: Literal["audio", "sse"] | None = Field(
        default=None, description="`audio`, as null, for bytes; `sse` for events with base64."
    )

    @field_validator("input")
    @classmethod
    def _has_something_to_say(cls, text: str) -> str:
        if is_blank(text):
            raise ValueError("There is nothing in it to be spoken")
        return text

    @property
    def format(self) -> AudioFormat:
        """The format of the audio."""
        return self.response_format or "mp3"

    @property
    def rate(self) -> SampleRate:
        """Samples a second."""
        return self.speech_sample_rate or default_rate(self.format)

    @property
    def voice_id(self) -> str | None:
        """Id of the voice, if one was asked for."""
        return self.voice.id if isinstance(self.voice, VoiceId) else self.voice

    @property
    def as_events(self) -> bool:
        """Whether the audio is sent in events."""
        return self.stream_format == "sse"
