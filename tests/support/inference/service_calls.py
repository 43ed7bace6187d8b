"""One call of each service at each provider that has it, as far as the provider's answer, without a gateway.

`refusals` beside this module has what providers document of errors, a file each. A refusal has the `status`, `headers`
and `body` of the provider, and either the `code` and `param` of the caller's 400 or, as the call goes on to the next
route, whether it counts as an `outage` of this one and how many seconds the provider wants to `wait`. It is one of all
the provider's services unless it names some.
"""

import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from callmissed.catalog.loader import load_catalog
from callmissed.catalog.model import Catalog, Model, NativeName, ProviderRoute
from callmissed.clock import system_clock
from callmissed_ai.routing.attempt import RouteAttempt
from callmissed_ai.services import embeddings, images
from callmissed_ai.services.search import work as search
from callmissed_ai.services.speech import service as speech
from callmissed_ai.services.transcription import work as transcription
from callmissed_ai.transports.base import UpstreamCall
from callmissed_ai.transports.multipart import FilePart
from callmissed_ai.transports.native import native_api
from callmissed_ai.work import Work
from tests.support.audio_files import wav
from tests.support.inference.recorded_transport import RecordedReply, RecordedTransport

FOLDER = Path(__file__).parent / "refusals"
SERVED: Mapping[str, Mapping[str, str]] = {
    "azure": {"stt": "whisper", "tts": "gpt-4o-mini-tts", "embedding": "text-embedding-3-small"},
    "azure_flux": {"image": "FLUX.2-pro"},
    "bedrock_embeddings": {"embedding": "amazon.titan-embed-text-v2:0"},
    "cloudflare_run": {
        "stt": "@cf/openai/whisper-large-v3-turbo",
        "tts": "@cf/deepgram/aura-2-en",
        "image": "@cf/lykon/dreamshaper-8-lcm",
    },
    "deepgram": {"stt": "nova-3", "tts": "aura-2-en"},
    "elevenlabs": {"tts": "eleven_flash_v2_5"},
    "exa": {"search": "search"},
    "firecrawl": {"search": "search"},
    "gemini_images": {"image": "gemini-3-pro-image-preview"},
    "google_search": {"search": "gemini-3-flash-preview"},
    "groq": {"stt": "whisper-large-v3-turbo"},
    "openai": {"stt": "whisper-1", "tts": "gpt-4o-mini-tts", "image": "gpt-image-1.5"},
    "sarvam_speech": {"stt": "saaras:v3", "tts": "bulbul:v3"},
    "serper": {"search": "search"},
}
"""The provider's id of a model for each of its services."""

PAIRS = [(provider, service) for provider, services in SERVED.items() for service in services]
_UNITS = {"stt": "audio_hour", "tts": "10k_characters", "image": "image", "search": "search"}
_SEARCHES = {"google_search": "google"}
Parse = Callable[[Catalog, Mapping[str, Any], int], Work]
_PARSERS: Mapping[str, tuple[Parse, Mapping[str, Any]]] = {
    "stt": (transcription.parse, {"file": FilePart("a.wav", wav(1.5))}),
    "tts": (speech.parse, {"input": "Hello there", "response_format": "mp3"}),
    "image": (images.parse, {"prompt": "A lighthouse"}),
    "embedding": (embeddings.parse, {"input": ["Hello"]}),
    "search": (search.parse, {"query": "voice agents"}),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """An answer of a provider that is no success, and what comes of it."""

    provider: str
    service: str
    name: str
    status: int
    body: str
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    code: str = ""
    param: str | None = None
    outage: bool = True
    wait: float = 0


def refusals() -> Iterator[Refusal]:
    """All refusals of all files, one for each service."""
    for path in sorted(FOLDER.glob("*.toml")):
        for row in tomllib.loads(path.read_text(encoding="utf-8"))["refusals"]:
            for service in row.pop("services", SERVED[path.stem]):
                yield Refusal(provider=path.stem, service=service, **row)


def _row(provider: str, service: str, upstream_id: str) -> str:
    price = f'unit = "{_UNITS[service]}"\nunit_price = 5' if service in _UNITS else "input = 5\noutput = 0"
    name = _SEARCHES.get(provider, provider) if service == "search" else f"{provider}-{service}"
    lines = [f'id = "{name}"', f'provider = "{provider}"', f'upstream_id = "{upstream_id}"', f'category = "{service}"']
    more = "context_window = 8192" if service == "embedding" else ""
    return "\n".join(["[[models]]", *lines, price, more])


CATALOG = load_catalog(
    "\n".join(
        _row(provider, service, upstream_id)
        for provider, services in SERVED.items()
        for service, upstream_id in services.items()
    )
)


def work_of(provider: str, service: str, **fields: Any) -> tuple[Work, Model, ProviderRoute]:
    """A call of `service` that only `provider` serves."""
    parse, body = _PARSERS[service]
    named = (
        {"provider": _SEARCHES.get(provider, provider)} if service == "search" else {"model": f"{provider}-{service}"}
    )
    work = parse(CATALOG, {**body, **named, **fields}, 100)
    (model,) = work.models
    (route,) = model.routes
    return work, model, route


def attempt_at(
    provider: str, service: str, answer: Callable[[UpstreamCall], RecordedReply], **fields: Any
) -> RouteAttempt:
    """An attempt of such a call, with `answer` for each of its requests."""
    http, row = RecordedTransport(answer), CATALOG.providers[provider]
    transport = native_api(cast(NativeName, row.transport)).transport(http) if row.dialect == "native" else http
    work, model, route = work_of(provider, service, **fields)
    return RouteAttempt(work, model, route, transport, system_clock, sandboxed=False)
