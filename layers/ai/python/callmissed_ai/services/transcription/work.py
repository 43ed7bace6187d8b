"""A priced transcription: what is held for it, what its providers get and what it costs."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import ceil
from typing import Any, Self, cast

from callmissed.catalog.model import SANDBOX, Catalog, Category, Model, ProviderRoute, ProviderSettings
from callmissed.errors import invalid_request
from callmissed.platform.routes import Permission
from callmissed_ai.audio.fields import ADD_ONS, DEEPGRAM_FIELDS
from callmissed_ai.audio.reading.files import AudioFile, read_audio
from callmissed_ai.audio.reading.track import NotAudio
from callmissed_ai.charges import Charges, unit_charges
from callmissed_ai.dialects.json_reply import JsonReplyMeter
from callmissed_ai.dialects.openai_chat.stream import closing
from callmissed_ai.services.service import Service
from callmissed_ai.services.transcription import openai
from callmissed_ai.services.transcription.formats import MEDIA_TYPES, seconds_in, written
from callmissed_ai.services.transcription.request import (
    TranscriptionRequest,
    TranslationRequest,
    parsed,
    unsupported,
)
from callmissed_ai.services.transcription.stored_audio import StoredAudio, with_stored_audio
from callmissed_ai.services.transcription.stream import TranscriptStreamMeter
from callmissed_ai.services.unit_work import UnitWork, model_for
from callmissed_ai.transports.base import UpstreamCall
from callmissed_ai.transports.media import FetchMedia
from callmissed_ai.transports.multipart import FilePart
from callmissed_ai.transports.native import charged_extra, check_call
from callmissed_ai.transports.paths import TRANSCRIPTIONS, TRANSLATIONS
from callmissed_ai.work import Meter

_MARGIN_MILLISECONDS = 1_000
_MARGIN_PARTS = 50
"""A provider may report a second and a fiftieth more than the frames have: it rounds up, pads or resamples."""

_NEUTRAL = frozenset({"file", "file_id", "model", "response_format", "stream", "mode", "diarize"})


@dataclass(frozen=True, slots=True, kw_only=True)
class TranscriptionWork(UnitWork):
    """A priced transcription; implements `Work`. `english` says that it is a translation."""

    request: TranscriptionRequest
    file: FilePart
    audio: AudioFile
    english: bool = False
    streamed: bool = False
    media_type: str = MEDIA_TYPES["json"]

    permission = Permission.STT
    service = "stt"
    quota = "stt"
    prompt_field = "file"

    @property
    def max_quantity(self) -> int:
        """Milliseconds that are billed at most."""
        measured = self.audio.milliseconds
        return (measured + measured // _MARGIN_PARTS + _MARGIN_MILLISECONDS) * self._channels

    def billed(self, reported: float | None) -> int:
        """Milliseconds to bill: the longer of what was measured and what is `reported` in seconds, within the hold."""
        heard = self.audio.milliseconds if reported is None else max(self.audio.milliseconds, _rounded_up(reported))
        return min(heard * self._channels, self.max_quantity)

    def check_route(self, model: Model, route: ProviderRoute) -> None:
        """See `Work.check_route`. No form is written for it."""
        if self._takes_forms(route):
            openai.check(self.request, openai.family_of(route.upstream_id), english=self.english)
        elif route.provider == SANDBOX:
            _check_sandbox(self.request, model)
        else:
            self._check_native(self.providers[route.provider], self._neutral_call(route))

    async def ready_for(self, route: ProviderRoute, fetch: FetchMedia) -> Self:
        """See `Work.ready_for`. Raises ApiError 404 if the stored file was deleted, or has expired, by now."""
        if isinstance(self.file, StoredAudio):
            await self.file.opened.check()
        return self

    def request_for(self, model: Model, route: ProviderRoute) -> UpstreamCall:
        """See `Work.request_for`."""
        self.check_route(model, route)
        return self.call_for(model, route)

    def call_for(self, model: Model, route: ProviderRoute) -> UpstreamCall:
        """OpenAI's form for providers with its paths, else the fields that are set, with what was found in the file."""
        if self._takes_forms(route):
            return openai.form(self.request, route.upstream_id, self._named, english=self.english)
        return self._neutral_call(route)

    def meter(self, model: Model, route: ProviderRoute, *, sandboxed: bool = False) -> Meter:
        """See `Work.meter`."""
        if self.streamed:
            return TranscriptStreamMeter(unit_charges(model, self.billed(None)), self._usage(None))

        async def charges(reply: Mapping[str, Any]) -> Charges:
            return unit_charges(model, self.billed(_reported(reply)))

        return JsonReplyMeter(self._passed, charges)

    def _passed(self, _body: bytes, reply: dict[str, Any]) -> bytes:
        return written(
            self.request.response_format,
            reply,
            task="translate" if self.english or self.request.mode == "translate" else "transcribe",
            seconds=self.audio.milliseconds / 1_000,
            granularities=self.request.timestamp_granularities or (),
            usage=self._usage(_reported(reply)),
        )

    def _usage(self, reported: float | None) -> Mapping[str, Any]:
        return {"type": "duration", "seconds": self.billed(reported) / 1_000}

    @property
    def _channels(self) -> int:
        """How many channels are transcribed by themselves."""
        return self.audio.channels if self.request.multichannel else 1

    @property
    def _named(self) -> FilePart:
        """The file with the name and the type of what it is: providers go by the name."""
        return FilePart(f"audio.{self.audio.format}", self.file.content, self.audio.media_type)

    def _check_native(self, provider: ProviderSettings, call: UpstreamCall) -> None:
        """Raise ApiError 400 for what the provider does not have, or has at a price of its own."""
        check_call(provider, call)
        for name in ADD_ONS:
            if call.json.get(name) and name not in provider.unpriced_fields:
                asked = name if getattr(self.request, name) else "response_format"
                raise charged_extra(name, asked)

    def _takes_forms(self, route: ProviderRoute) -> bool:
        return route.provider != SANDBOX and self.providers[route.provider].dialect != "native"

    def _neutral_call(self, route: ProviderRoute) -> UpstreamCall:
        asked = {name: getattr(self.request, name) for name in self.request.model_fields_set - _NEUTRAL}
        body = {
            **{name: value for name, value in asked.items() if value is not None},
            "model": route.upstream_id,
            "mode": self.request.mode,
            "diarize": self.request.diarize or self.request.response_format == "diarized_json",
            "response_format": self.request.response_format,
            "stream": self.streamed,
            "file": self._named,
            "file_name": self.file.name,
            "audio": self.audio,
        }
        return UpstreamCall(TRANSLATIONS if self.english else TRANSCRIPTIONS, body)


def parse(catalog: Catalog, body: Mapping[str, Any], _size: int) -> TranscriptionWork:
    """The work of a transcription's fields; reads the audio, so run it in a thread. Raises ApiError 400, 404, 503."""
    request = parsed(TranscriptionRequest, body)
    if request.stream and request.response_format not in ("json", "diarized_json"):
        raise unsupported("response_format", "A stream has events, and no other format.")
    if request.timestamp_granularities and request.response_format != "verbose_json":
        raise unsupported("timestamp_granularities", "Times need the response_format 'verbose_json'.")
    return _work(catalog, request)


def parse_translation(catalog: Catalog, body: Mapping[str, Any], _size: int) -> TranscriptionWork:
    """As `parse`, for a translation into English."""
    asked = parsed(TranslationRequest, body)
    fields = {"model": asked.model, **{name: getattr(asked, name) for name in asked.model_fields_set}}
    return replace(_work(catalog, parsed(TranscriptionRequest, fields)), english=True)


def _work(catalog: Catalog, request: TranscriptionRequest) -> TranscriptionWork:
    model = model_for(catalog, request.model, Category.STT, "for transcription")
    file = cast(FilePart, request.file)  # `parsed` has seen to it
    try:
        audio = read_audio(file.content)
    except NotAudio as why:
        raise invalid_request(f"The file can't be transcribed: {why}.", "file", "invalid_audio") from None
    return TranscriptionWork(
        models=(model,),
        model_id=model.id,
        providers=catalog.providers,
        request=request,
        file=file,
        audio=audio,
        streamed=request.stream,
        media_type=MEDIA_TYPES[request.response_format],
    )


def _check_sandbox(request: TranscriptionRequest, model: Model) -> None:
    """The sandbox's own model has no provider's fields; in the place of another model it has that one's."""
    own = next((name for name in DEEPGRAM_FIELDS if getattr(request, name) is not None), None)
    if own and all(route.provider == SANDBOX for route in model.routes):
        raise unsupported(own, f"This model has no field '{own}': it is Deepgram's.")


def _reported(reply: Mapping[str, Any]) -> float | None:
    """The length that a reply reports: in its usage, or as its duration."""
    said = reply.get("usage")
    usage = cast("dict[str, Any]", said) if isinstance(said, dict) else {}
    found = [seconds_in(reply.get("duration"))]
    if usage.get("type") == "duration":
        found.append(seconds_in(usage.get("seconds")))
    return max((each for each in found if each is not None), default=None)


def _rounded_up(seconds: float) -> int:
    return ceil(round(seconds * 1_000, 3))


SERVICE = Service(Permission.STT, parse, closing, with_files=with_stored_audio)
TRANSLATION = Service(Permission.STT, parse_translation, with_files=with_stored_audio)
