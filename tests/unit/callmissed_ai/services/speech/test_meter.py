"""The bill of speech is price times code points, which is the hold, in every format and however the reply ends."""

import base64
import json
from fractions import Fraction
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callmissed.catalog.loader import load_catalog
from callmissed.errors import ApiError
from callmissed_ai.audio.formats import AudioFormat
from callmissed_ai.audio.wav import header
from callmissed_ai.services.speech.service import SpeechWork, parse
from callmissed_ai.work import Meter
from tests.support.inference.audio import BEGINNINGS

CATALOG = load_catalog()
MODEL = CATALOG.models["sandbox-tts"]
LAST = b"\x01\x02\x03\x04\x05"
texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=400).filter(str.isprintable)
spoken = texts.filter(lambda text: bool(text.strip()))
formats = st.sampled_from(sorted(BEGINNINGS))
endings = st.sampled_from(["completed", "broke off", "hung up"])


def work_of(text: str = "Hello there", **fields: Any) -> SpeechWork:
    return parse(CATALOG, {"model": "sandbox-tts", "input": text, **fields}, 0)


def meter_of(work: SpeechWork) -> Meter:
    return work.meter(MODEL, MODEL.routes[0])


def bill(text: str) -> int:
    """The price list, read by hand: rounded half up once."""
    price = MODEL.unit_price
    assert price
    return int(Fraction(price.amount * len(text), 10_000) + Fraction(1, 2))


def cut_up(body: bytes, cuts: list[int]) -> list[bytes]:
    places = [0, *sorted(cut % (len(body) + 1) for cut in cuts), len(body)]
    return [body[begin:end] for begin, end in pairwise(places)]


@given(
    audio_format=formats,
    text=spoken,
    ending=endings,
    events=st.booleans(),
    cuts=st.lists(st.integers(0, 300), max_size=6),
)
async def test_speech_costs_its_code_points_and_no_more_than_is_held(
    audio_format: AudioFormat, text: str, ending: str, events: bool, cuts: list[int]
) -> None:
    stream_format = "sse" if events else "audio"
    work = work_of(text, response_format=audio_format, stream_format=stream_format)
    meter = meter_of(work)
    for piece in cut_up(BEGINNINGS[audio_format], cuts):
        meter.feed(piece)
    if ending == "completed":
        meter.end()

    charges = await meter.charges()

    assert (meter.begun, meter.finished) == (True, ending == "completed")
    assert charges.cost == bill(text)
    assert bill(text) <= work.estimate <= bill(text) + 1
    assert [(line.unit, line.quantity, line.per) for line in charges.lines] == [("characters", len(text), 10_000)]


@given(audio_format=formats, cuts=st.lists(st.integers(0, 300), max_size=6))
def test_bytes_pass_unchanged_and_the_last_one_waits_for_the_settlement(
    audio_format: AudioFormat, cuts: list[int]
) -> None:
    audio = BEGINNINGS[audio_format]
    meter = meter_of(work_of(response_format=audio_format))
    passed = b"".join([meter.feed(piece) for piece in cut_up(audio, cuts)]) + meter.end()

    assert passed == audio[:-1]
    assert passed + meter.closing(None, "req_1") == meter.final(passed) == audio


@given(cuts=st.lists(st.integers(0, 300), max_size=6))
def test_events_have_the_bytes_in_whole_samples(cuts: list[int]) -> None:
    audio = BEGINNINGS["pcm"] + LAST
    meter = meter_of(work_of(response_format="pcm", stream_format="sse"))
    passed = b"".join([meter.feed(piece) for piece in cut_up(audio, cuts)]) + meter.end()
    passed += meter.closing(None, "req_1")

    *deltas, done = [json.loads(event.removeprefix("data: ")) for event in passed.decode().split("\n\n")[:-1]]

    assert done == {"type": "speech.audio.done", "usage": {"characters": len("Hello there")}}
    parts = [base64.b64decode(delta["audio"]) for delta in deltas]
    assert b"".join(parts) == audio
    assert all(delta["type"] == "speech.audio.delta" for delta in deltas)
    assert all(len(part) % 6 == 0 for part in parts[:-1])


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"audio": "UklGRg=="}', b"OggS", b"\xff\xf1\x50\x80" + bytes(99)])
def test_reply_without_such_audio_never_begins(body: bytes) -> None:
    meter = meter_of(work_of(response_format="mp3"))

    assert meter.feed(body) == b""
    assert meter.end() == b""
    assert (meter.begun, meter.finished) == (False, False)
    assert meter.broken


@pytest.mark.parametrize("cut", [1, 31, 32, 43, 44])
def test_wav_without_a_sample_never_begins(cut: int) -> None:
    head = header(24_000)
    meter = meter_of(work_of(response_format="wav"))

    assert meter.feed(head[:cut]) + meter.feed(head[cut:]) + meter.end() == b""
    assert (meter.begun, meter.finished, meter.broken) == (False, False, "no samples")


def test_wav_whose_header_does_not_end_is_passed_on() -> None:
    audio = header(24_000)[:36] + b"LIST" + (2**31).to_bytes(4, "little") + bytes(70_000)
    meter = meter_of(work_of(response_format="wav"))

    assert meter.feed(audio) == audio[:-1]


def test_audio_that_does_not_end_is_stopped() -> None:
    meter = meter_of(work_of("Hi", response_format="pcm"))
    piece = bytes(range(256)) * 1024

    passed = 0
    while not meter.broken:
        passed += len(meter.feed(piece))

    assert meter.runaway
    assert passed < 2 * 1024 * 1024


def test_error_in_the_midst_of_events_is_an_event() -> None:
    meter = meter_of(work_of(stream_format="sse"))
    error = ApiError(503, "provider_error", "The provider broke off.")

    event = json.loads(meter.closing(error, "req_1").removeprefix(b"data: "))

    assert (event["error"]["code"], event["error"]["request_id"]) == ("provider_error", "req_1")
