"""Providers that speak: what each is asked, what becomes of its reply, and what it can't do."""

import pytest

from callmissed.catalog.model import NATIVE_CATEGORIES, Category, NativeName
from callmissed.errors import ApiError
from callmissed_ai.providers.speaking.sentences import pieces_of
from callmissed_ai.transports.base import UpstreamCall, UpstreamUnreachable
from callmissed_ai.transports.native import native_api
from tests.support.inference.speech_fixtures import PlayedWire, RefusedCase, SpeechCase, refused_cases, speech_cases

CASES = speech_cases()
REFUSED = refused_cases()


def test_every_provider_that_speaks_has_its_cases() -> None:
    speaking = {name for name, categories in NATIVE_CATEGORIES.items() if Category.TTS in categories}

    assert {case.provider for case in CASES} == {case.provider for case in REFUSED} == speaking
    for name in speaking:
        own = [case for case in CASES if case.provider == name]
        assert {True, False} == {case.broken for case in own if case.status == 200}, name
        assert any(case.status != 200 for case in own), name


@pytest.mark.parametrize("case", CASES, ids=[f"{case.provider}-{case.name}" for case in CASES])
async def test_provider_is_asked_as_documented_and_its_audio_is_passed_on(case: SpeechCase) -> None:
    api, wire = native_api(case.provider), PlayedWire(case.replies)
    api.check(case.call)

    reply = await api.transport(wire).send(case.call, 10)
    audio, broken = b"", False
    try:
        async for chunk in reply.chunks():
            audio += chunk if reply.status == 200 else b""
    except UpstreamUnreachable:
        broken = True
    await reply.close()

    assert reply.status == case.status
    assert (audio, broken) == (case.audio, case.broken)
    assert wire.requests == case.requests
    assert all(sent.closed for sent in wire.sent)


@pytest.mark.parametrize("case", REFUSED, ids=[f"{case.provider}-{case.param}" for case in REFUSED])
def test_what_a_provider_can_not_do_is_refused_by_the_name_of_its_field(case: RefusedCase) -> None:
    with pytest.raises(ApiError) as refused:
        native_api(case.provider).check(case.call)

    assert (refused.value.status, refused.value.param) == (400, case.param)


@pytest.mark.parametrize("name", ["cloudflare_run", "deepgram", "sarvam_speech"])
def test_path_that_a_provider_does_not_serve_is_refused(name: NativeName) -> None:
    with pytest.raises(ApiError) as refused:
        native_api(name).check(UpstreamCall("/no/such/path", {}))

    assert (refused.value.status, refused.value.param) == (400, "model")


@pytest.mark.parametrize(
    ("text", "limit", "pieces"),
    [
        ("One. Two.", 100, ["One. Two."]),
        ("One and a. Two.", 12, ["One and a. ", "Two."]),
        ("नमस्ते। कैसे हो।", 10, ["नमस्ते। ", "कैसे हो।"]),
        ("one, two three", 9, ["one, ", "two three"]),
        ("x" * 25, 10, ["x" * 10, "x" * 10, "x" * 5]),
        ("a" + " " * 30 + "b", 10, ["a" + " " * 9, " b"]),
    ],
)
def test_long_text_is_cut_where_a_speaker_would_pause(text: str, limit: int, pieces: list[str]) -> None:
    found = pieces_of(text, limit)

    assert [piece.split() for piece in found] == [piece.split() for piece in pieces]
    assert all(0 < len(piece) <= limit for piece in found)
