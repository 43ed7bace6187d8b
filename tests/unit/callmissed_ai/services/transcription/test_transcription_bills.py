"""A transcription's bill is its price times the longer of what was measured and reported, and never above its hold."""

import json
import math
from fractions import Fraction
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callmissed.catalog.loader import load_catalog
from callmissed_ai.services.transcription.request import ResponseFormat
from callmissed_ai.services.transcription.work import TranscriptionWork, parse
from callmissed_ai.transports.multipart import FilePart
from callmissed_ai.work import Meter
from tests.support.audio_files import wav

PRICE = 40
"""Credits an hour."""

CATALOG = load_catalog(
    f"""
[providers.lab]
dialect = "openai_chat"
base_url = "http://127.0.0.1:1"

[[models]]
id = "hears"
provider = "lab"
upstream_id = "gpt-4o-transcribe-diarize"
category = "stt"
unit = "audio_hour"
unit_price = {PRICE}
"""
)
MEASURED = 1_500
FORMATS = get_args(ResponseFormat)
SAID: dict[str, Any] = {"text": "Hello", "segments": [{"start": 0, "end": 1, "text": "Hello", "speaker": "A"}]}
reports = st.one_of(
    st.none(),
    st.floats(0, 10, allow_nan=False),
    st.integers(0, 4),
    st.sampled_from([1e300, 10**400, -1.0, "2.25", "soon", True, [], {}]),
)


def work_of(wanted: str = "json", **fields: str) -> TranscriptionWork:
    body = {"model": "hears", "file": FilePart("a.wav", wav(1.5)), "response_format": wanted, **fields}
    return parse(CATALOG, body, 0)


def meter_of(work: TranscriptionWork) -> Meter:
    (model,) = work.models
    return work.meter(model, model.routes[0])


def bill(milliseconds: int) -> int:
    """The price list, read by hand: rounded half up once."""
    return math.floor(Fraction(milliseconds * PRICE * 1_000_000, 3_600_000) + Fraction(1, 2))


def heard(reported: object) -> int:
    """What a provider's report in seconds comes to, in milliseconds."""
    if isinstance(reported, str):
        return 2_250 if reported == "2.25" else 0
    if isinstance(reported, bool) or not isinstance(reported, int | float) or reported < 0:
        return 0
    return math.ceil(round(min(reported, 1e9) * 1_000, 3))


@given(reported=reports, in_usage=st.booleans())
async def test_bill_is_the_same_in_every_format_and_within_the_hold(reported: object, in_usage: bool) -> None:
    usage = {"usage": {"type": "duration", "seconds": reported}} if in_usage else {"duration": reported}
    bound = MEASURED + MEASURED // 50 + 1_000
    for wanted in FORMATS:
        work = work_of(wanted)
        meter = meter_of(work)
        meter.feed(json.dumps({**SAID, **usage}).encode())
        meter.end()

        charges = await meter.charges()

        assert meter.finished
        assert charges.cost == bill(min(max(MEASURED, heard(reported)), bound)) <= work.estimate
        assert not charges.estimated


@pytest.mark.parametrize("usage", [None, {}, {"type": "tokens", "total_tokens": 0}, {"type": "duration"}, "none", 7])
async def test_usage_without_a_length_bills_what_was_measured(usage: object) -> None:
    meter = meter_of(work_of())
    meter.feed(json.dumps({**SAID, "usage": usage}).encode())
    meter.end()

    assert (await meter.charges()).cost == bill(MEASURED)


@given(data=st.data())
async def test_stream_costs_the_audio_once_its_text_has_begun_however_it_is_cut(data: st.DataObject) -> None:
    work = work_of(stream="true")
    events = [
        *(f'data: {{"type":"transcript.text.delta","delta":"{word}"}}\n\n'.encode() for word in ("Hello", " there")),
        b'data: {"type":"transcript.text.done","text":"Hello there","usage":{"type":"tokens","total_tokens":1}}\n\n',
    ]
    body = b"".join(events)
    end = data.draw(st.integers(0, len(body)))
    cuts = sorted(data.draw(st.lists(st.integers(0, end), max_size=4)))
    meter = meter_of(work)
    passed = b"".join(meter.feed(body[a:b]) for a, b in zip([0, *cuts], [*cuts, end], strict=True))
    passed += b"" if meter.finished else meter.end()

    assert (await meter.charges()).cost == bill(MEASURED) <= work.estimate
    assert meter.begun is (b"delta" in passed)
    assert meter.finished is (b'"seconds":1.5' in passed)
    assert meter.finished or meter.broken


@pytest.mark.parametrize("body", [b"<html>", b"[]", b"{}", b'{"text": 1}', b'{"text": "no segments"}'])
async def test_reply_without_what_the_format_needs_is_broken(body: bytes) -> None:
    meter = meter_of(work_of("srt"))
    meter.feed(body)
    meter.end()

    assert meter.broken and not meter.finished


@pytest.mark.parametrize("wanted", FORMATS)
@pytest.mark.parametrize("end", [1e308, 10**400, "1e308", True])
async def test_odd_texts_and_times_of_a_provider_are_written_in_every_format(wanted: str, end: object) -> None:
    said = {
        "text": "half \ud83d",
        "segments": [{"start": 0, "end": 1, "text": "\ud83d"}, {"start": 0, "end": end, "text": "b"}],
    }
    meter = meter_of(work_of(wanted))

    meter.feed(json.dumps(said).encode())
    passed = meter.end()

    assert meter.finished
    assert "\ufffd" in passed.decode()
    assert (await meter.charges()).cost == bill(MEASURED)
