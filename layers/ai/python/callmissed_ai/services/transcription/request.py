"""What callers may ask of a transcription: OpenAI's fields, ours, and Deepgram's own."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, InstanceOf, WithJsonSchema

from callmissed.errors import ApiError, invalid_request
from callmissed_ai.services.unit_work import Request, parsed_request
from callmissed_ai.transports.multipart import FilePart

Mode = Literal["transcribe", "translate", "verbatim", "translit", "codemix"]
ResponseFormat = Literal["json", "text", "srt", "verbose_json", "vtt", "diarized_json"]
Granularity = Literal["word", "segment"]


def _listed(value: object) -> object:
    """A list, also where a form has the field once, or has it with commas."""
    return value.split(",") if isinstance(value, str) else value


_Text = Annotated[str, Field(min_length=1, max_length=1_000)]
_Texts = Annotated[list[_Text], BeforeValidator(_listed), Field(max_length=100)]
_Phrases = Annotated[list[_Text], BeforeValidator(lambda value: [value] if isinstance(value, str) else value)]
_File = Annotated[
    InstanceOf[FilePart],
    WithJsonSchema({"type": "string", "format": "binary", "description": "WAV, MP3, OGG, FLAC, M4A, AAC or WebM."}),
]


class _AudioRequest(BaseModel):
    """What both ways of asking have."""

    model_config = ConfigDict(extra="forbid")

    file: _File | None = None
    file_id: Annotated[
        str | None, Field(description="Id of a stored file with the purpose `audio`, in place of `file`.")
    ] = None
    prompt: Annotated[str, Field(max_length=16_000)] | None = None
    temperature: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] | None = None


class TranslationRequest(_AudioRequest):
    """Speech of any language as English text."""

    model: Annotated[str, Field(min_length=1, max_length=256)] = "saaras:v3"
    response_format: Literal["json", "text", "srt", "verbose_json", "vtt"] = "json"


class TranscriptionRequest(_AudioRequest):
    """Speech as text. Fields that the model's provider does not have are refused by name."""

    model: Annotated[str, Field(min_length=1, max_length=256)]
    response_format: ResponseFormat = "json"
    language: Annotated[str, Field(pattern=r"^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8}){0,3}$")] | None = None
    mode: Mode = "transcribe"
    timestamp_granularities: Annotated[list[Granularity], BeforeValidator(_listed), Field(max_length=2)] | None = None
    diarize: bool = False
    stream: bool = False
    include: Annotated[list[Literal["logprobs"]], BeforeValidator(_listed), Field(max_length=1)] | None = None
    chunking_strategy: Annotated[str, Field(max_length=1_000)] | None = None
    utterances: bool | None = None
    utt_split: Annotated[float, Field(ge=0, le=60, allow_inf_nan=False)] | None = None
    paragraphs: bool | None = None
    numerals: bool | None = None
    measurements: bool | None = None
    dictation: bool | None = None
    profanity_filter: bool | None = None
    filler_words: bool | None = None
    multichannel: bool | None = None
    detect_entities: bool | None = None
    detect_language: bool | None = None
    redact: _Texts | None = None
    keyterm: _Phrases | None = None
    keywords: _Phrases | None = None
    search: _Phrases | None = None
    replace: _Phrases | None = None


def parsed(kind: type[Request], body: Mapping[str, Any]) -> Request:
    """`body` as a request of that kind. Raises ApiError 400 that names the field at fault."""
    if body.get("file") is None:
        raise invalid_request("Send the audio as 'file', or name a stored file by 'file_id'.", "file")
    return parsed_request(kind, body)


def unsupported(field: str, message: str) -> ApiError:
    """400 for a field that the model's provider does not have."""
    return invalid_request(message, field, "unsupported_field")
