"""Audio at OpenAI's paths, as OpenAI, Azure and Groq document it: what each gets, what the caller gets, what is billed.

A case of the files in `audio_providers` has the fields that are `asked` for, the `form` or the `body` that the provider
is sent, its `reply`, parts of what is `shown` of it and the milliseconds or characters that are `billed`.
"""

import tomllib
from collections.abc import Mapping
from typing import Any

import pytest

from callmissed.catalog.loader import load_catalog
from callmissed.catalog.model import ProviderRoute
from callmissed.errors import ApiError
from callmissed_ai.services.speech.service import parse as parse_speech
from callmissed_ai.services.transcription.work import parse, parse_translation
from callmissed_ai.transports.base import UpstreamCall
from callmissed_ai.transports.multipart import FilePart
from callmissed_ai.work import Work
from tests.support.audio_files import wav
from tests.support.inference.forms import form_of
from tests.support.inference.provider_fixtures import FOLDER

PRICES = {
    "stt": 'category = "stt"\nunit = "audio_hour"\nunit_price = 36',
    "tts": 'category = "tts"\nunit = "10k_characters"\nunit_price = 30',
}
CASES = [
    (path.stem, row)
    for path in sorted((FOLDER.parent / "audio_providers").glob("*.toml"))
    for row in tomllib.loads(path.read_text(encoding="utf-8"))["cases"]
]


def work_of(provider: str, case: Mapping[str, Any], provider_row: str = "") -> Work:
    kind = "tts" if case["service"] == "tts" else "stt"
    row = f'[[models]]\nid = "model"\nprovider = "{provider}"\nupstream_id = "{case["model"]}"\n{PRICES[kind]}\n'
    catalog, asked = load_catalog(provider_row + row), {"model": "model", **case["asked"]}
    if kind == "tts":
        return parse_speech(catalog, asked, 0)
    read = parse_translation if case["service"] == "translation" else parse
    return read(catalog, {**asked, "file": FilePart("a.wav", wav(1.5))}, 0)


def refused_field(provider: str, case: Mapping[str, Any], provider_row: str = "") -> str | None:
    """The field that the call is refused for, None where it is sent."""
    work = work_of(provider, case, provider_row)
    (model,) = work.models
    try:
        work.check_route(model, model.routes[0])
    except ApiError as refused:
        assert refused.status == 400
        return refused.param
    return None


def sent_form(call: UpstreamCall) -> Mapping[str, Any]:
    """The fields but for the file; one that is there several times, or as a list, is a list."""
    fields: dict[str, Any] = {}
    for name, value in form_of(call.payload(), call.headers["Content-Type"]):
        fields[name] = [*fields.get(name, []), value] if name.endswith("[]") else value
    file = fields.pop("file")
    assert file.encode("utf-8", "surrogateescape").startswith(b"RIFF")
    return fields


@pytest.mark.parametrize(("provider", "case"), CASES, ids=[f"{name}-{case['name']}" for name, case in CASES])
async def test_provider_is_asked_as_documented_and_its_reply_is_billed(provider: str, case: Mapping[str, Any]) -> None:
    work = work_of(provider, case)
    (model,) = work.models
    route: ProviderRoute = model.routes[0]

    call = work.request_for(model, route)
    meter, body = work.meter(model, route), case["reply"].encode()
    middle = len(body) // 2
    passed = meter.feed(body[:middle]) + meter.feed(body[middle:])
    passed += b"" if meter.finished else meter.end()

    assert call.path == case["path"]
    assert (sent_form(call) if "form" in case else call.json) == (case.get("form") or case["body"])
    shown = meter.final(passed).decode() if not meter.broken else passed.decode()
    if work.streamed and not meter.broken and case["service"] == "tts":
        shown = (passed + meter.closing(None, "request")).decode()
    assert not [part for part in case["shown"] if part not in shown]
    assert bool(meter.broken) is case.get("broken", False)
    assert sum(line.quantity for line in (await meter.charges()).lines) == case["billed"]


def test_every_provider_with_openais_audio_has_its_cases() -> None:
    assert {(name, case["service"]) for name, case in CASES} == {
        ("openai", "stt"),
        ("openai", "translation"),
        ("openai", "tts"),
        ("azure", "stt"),
        ("azure", "tts"),
        ("groq", "stt"),
    }


@pytest.mark.parametrize(
    ("model", "length", "is_taken"),
    [
        ("gpt-4o-transcribe", 1_000, True),
        ("gpt-4o-transcribe", 1_001, False),
        ("gpt-4o-mini-transcribe", 1_001, False),
        ("whisper-1", 16_000, True),
    ],
)
def test_prompt_of_a_model_that_is_paid_by_the_token_is_short(model: str, length: int, *, is_taken: bool) -> None:
    case = {"service": "stt", "model": model, "asked": {"prompt": "x" * length}}

    assert refused_field("openai", case) == (None if is_taken else "prompt")


@pytest.mark.parametrize(
    ("text", "length", "is_taken"), [("x", 1_000, True), ("x", 1_001, False), ("x" * 1_500, 1_500, True)]
)
def test_instructions_are_no_longer_than_the_text_pays_for(text: str, length: int, *, is_taken: bool) -> None:
    asked = {"input": text, "instructions": "y" * length}

    found = refused_field("openai", {"service": "tts", "model": "gpt-4o-mini-tts", "asked": asked})

    assert found == (None if is_taken else "instructions")


def test_row_whose_price_covers_instructions_takes_long_ones() -> None:
    provider = '[providers.openai]\nbase_url = "https://api.openai.com/v1"\nunpriced_fields = ["instructions"]\n'
    asked = {"input": "x", "instructions": "y" * 2_000}

    assert refused_field("openai", {"service": "tts", "model": "gpt-4o-mini-tts", "asked": asked}, provider) is None
