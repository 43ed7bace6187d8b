"""A neutral speech call, read by the modules of providers, and the refusals that name its fields."""

from collections.abc import Collection
from dataclasses import dataclass

from callmissed.errors import ApiError, invalid_request
from callmissed_ai.audio.formats import AudioFormat, default_rate
from callmissed_ai.transports.base import UpstreamCall


@dataclass(frozen=True, slots=True)
class AskedSpeech:
    """The fields of a speech call; None for those that the caller did not set."""

    model: str
    text: str
    format: AudioFormat
    voice: str | None = None
    speed: float | None = None
    language: str | None = None
    rate: int | None = None
    instructions: str | None = None

    @classmethod
    def of(cls, call: UpstreamCall) -> "AskedSpeech":
        """The fields of `call`."""
        body = call.json
        return cls(
            body["model"],
            body["input"],
            body["response_format"],
            body.get("voice"),
            body.get("speed"),
            body.get("language"),
            body.get("speech_sample_rate"),
            body.get("instructions"),
        )

    @property
    def samples_per_second(self) -> int:
        """The rate, set or not."""
        return self.rate or default_rate(self.format)

    @property
    def primary_language(self) -> str | None:
        """The language without its region, such as `hi`."""
        return self.language.partition("-")[0].lower() if self.language else None

    def check_format(self, made: Collection[str]) -> None:
        """Raise ApiError 400 for a format that is not among those that the provider makes."""
        if self.format not in made:
            raise invalid_request(f"This model's provider does not make {self.format}.", "response_format")

    def check_rate(self, made: Collection[int]) -> None:
        """Raise ApiError 400 for a rate that was asked for and is not `made` of the format, of which none can be named
        where that is empty."""
        if self.rate is not None and self.rate not in made:
            rates = ", ".join(f"{rate:,}" for rate in sorted(made))
            what = (
                f"makes {self.format} with {rates} samples a second" if made else f"chooses the rate of {self.format}"
            )
            raise invalid_request(f"This model's provider {what}.", "speech_sample_rate")

    def check_speed(self, slowest: float, fastest: float) -> None:
        """Raise ApiError 400 for a speed that the provider can't speak at."""
        if self.speed is not None and not slowest <= self.speed <= fastest:
            raise invalid_request(f"This model's provider speaks at {slowest} to {fastest}.", "speed")

    def check_language(self, known: Collection[str]) -> None:
        """Raise ApiError 400 for a language that is not spoken."""
        if self.primary_language is not None and self.primary_language not in known:
            raise invalid_request(f"This model does not speak '{self.language}'.", "language")

    def check_no_instructions(self) -> None:
        """Raise ApiError 400 for instructions, where a model takes none."""
        if self.instructions is not None:
            raise self.unknown("instructions")

    def check_length(self, limit: int, joined: Collection[str]) -> None:
        """Raise ApiError 400 for a text above the `limit` of one request, in a format whose files can't be `joined`."""
        if len(self.text) > limit and self.format not in joined:
            message = f"This model's provider speaks at most {limit:,} characters in {self.format}."
            raise invalid_request(message, "input")

    def unknown(self, field: str) -> ApiError:
        """The refusal of a field that the provider does not have."""
        return invalid_request(f"This model's provider has no '{field}'.", field)
