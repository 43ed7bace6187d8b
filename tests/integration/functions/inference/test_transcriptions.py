"""Transcriptions from admission to settlement: what providers get, what the caller gets, and what it costs."""

import asyncio
from collections.abc import Mapping
from typing import Any

import httpx2
import pytest

from callmissed.keys.secret import Mode
from callmissed.money import CREDIT
from tests.support.audio_files import recorded, wav
from tests.support.inference.behaviours import HEARD, breaks_mid_body, fails, ordinary, reply, streams
from tests.support.inference.gateway import Accounts
from tests.support.inference.upstream import FakeUpstream, Gate, until
from tests.support.inference.wire import TRANSLATIONS, events_of, refused, transcribe

MILLISECOND = 10
"""Micro-credits that a millisecond costs with these models."""

TIMES = "00:00:00,000 --> 00:00:01,250"
DELTA = b'data: {"type":"transcript.text.delta","delta":"Hello"}\n\n'
LAST = b'data: {"type":"transcript.text.done","text":"Hello","usage":{"type":"tokens","total_tokens":4}}\n\n'


async def test_transcription_costs_the_longer_of_measured_and_reported(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account = await accounts.account()
    upstream.will(reply(HEARD))

    response = await transcribe(client, account, name="wrong.mp3", language="en-IN", prompt="names")

    assert response.status_code == 200, response.text
    assert response.json() == {"text": "Hello there.", "usage": {"type": "duration", "seconds": 2.0}}
    sent = upstream.only
    assert sent.path == "/lab/v1/audio/transcriptions"
    file = sent.body.pop("file")
    assert (file.name, file.content) == ("audio.wav", wav(1.5))
    assert sent.body == {
        "model": "whisper-1",
        "response_format": "verbose_json",
        "language": "en",
        "prompt": "names",
        "timestamp_granularities": ["segment"],
    }
    entry = await accounts.entry(account.tenant)
    assert entry["amount"] == await accounts.assert_balanced(account) == 2_000 * MILLISECOND
    assert entry["usage"]["lines"] == [
        {"unit": "audio_milliseconds", "quantity": 2_000, "price": 36 * CREDIT, "per": 3_600_000}
    ]
    generation = await client.get(
        "/v1/generation", params={"id": response.headers["x-generation-id"]}, headers=account.headers
    )
    assert generation.json()["data"]["units"] == {"audio_milliseconds": 2_000}


@pytest.mark.parametrize(
    ("wanted", "media_type", "text"),
    [
        ("text", "text/plain; charset=utf-8", "Hello there.\n"),
        ("srt", "application/x-subrip; charset=utf-8", f"1\n{TIMES}\nHello there.\n"),
        ("vtt", "text/vtt; charset=utf-8", f"WEBVTT\n\n{TIMES.replace(',', '.')}\nHello there.\n"),
    ],
)
async def test_format_of_the_answer_changes_no_bill(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream, wanted: str, media_type: str, text: str
) -> None:
    account = await accounts.account()
    upstream.will(reply(HEARD))

    response = await transcribe(client, account, response_format=wanted)

    assert (response.headers["content-type"], response.text) == (media_type, text)
    assert await accounts.assert_balanced(account) == 2_000 * MILLISECOND


async def test_times_of_words_and_segments_are_given_where_asked(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account = await accounts.account()
    upstream.will(reply(HEARD), reply(HEARD))

    listed: Mapping[str, Any] = {"timestamp_granularities[]": ["word", "segment"]}
    both = await transcribe(client, account, response_format="verbose_json", **listed)
    words = await transcribe(client, account, response_format="verbose_json", timestamp_granularities="word")

    assert both.json()["words"] == HEARD["words"]
    assert both.json()["segments"][0] | HEARD["segments"][0] == both.json()["segments"][0]
    assert "segments" not in words.json()
    assert upstream.requests[0].body["timestamp_granularities"] == ["word", "segment"]


async def test_translation_is_in_english(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account = await accounts.account()
    upstream.will(reply(HEARD))

    response = await transcribe(client, account, path=TRANSLATIONS, response_format="verbose_json")

    assert (response.json()["task"], response.json()["language"]) == ("translate", "en")
    assert upstream.only.path == "/lab/v1/audio/translations"


async def test_stream_passes_on_and_costs_the_whole_audio(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account = await accounts.account()
    upstream.will(streams([DELTA, LAST]), streams([DELTA], breaks=True))

    whole = await transcribe(client, account, model="lab-transcribe", stream="true")
    broken = await transcribe(client, account, model="lab-transcribe", stream="true")

    events = events_of(whole.content)
    assert [event["type"] for event in events] == ["transcript.text.delta", "transcript.text.done"]
    assert events[-1]["usage"] == {"type": "duration", "seconds": 1.5}
    assert events_of(broken.content)[-1]["error"]["code"] == "provider_error"
    assert await accounts.assert_balanced(account) == 2 * 1_500 * MILLISECOND


@pytest.mark.parametrize("failure", [fails(500), reply({"no": "text"}), reply("<html>"), breaks_mid_body()])
async def test_transcription_that_fails_costs_nothing(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream, failure: Any
) -> None:
    account = await accounts.account()
    upstream.will(failure, failure)

    assert (await transcribe(client, account)).status_code in (502, 503)

    upstream.forget()
    assert await accounts.assert_balanced(account) == 0


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"model": "lab-transcribe", "response_format": "srt"}, "response_format"),
        ({"model": "lab-transcribe", "timestamp_granularities": "word", "response_format": "verbose_json"}, None),
        ({"diarize": "true"}, "diarize"),
        ({"stream": "true"}, "stream"),
        ({"mode": "codemix"}, "mode"),
        ({"keyterm": "CallMissed"}, "keyterm"),
        ({"temperature": "2"}, "temperature"),
        ({"response_format": "mp3"}, "response_format"),
        ({"unknown": "1"}, "unknown"),
        ({"model": "lab-chat"}, "model"),
        ({"model": "deepgram-nova", "prompt": "names"}, "prompt"),
        ({"model": "sarvam-saaras", "diarize": "true"}, "diarize"),
        ({"model": "cloudflare-whisper", "keyterm": "x"}, "keyterm"),
        ({"file": b"no audio at all"}, "file"),
        ({"file": wav(0)}, "file"),
    ],
)
async def test_bad_request_is_refused_by_the_name_of_its_field(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream, fields: Mapping[str, Any], param: str | None
) -> None:
    account = await accounts.account()

    response = await transcribe(client, account, **fields)

    assert response.status_code == 400, response.text
    assert param is None or response.json()["error"]["param"] == param
    assert not upstream.requests
    await accounts.assert_untouched(account)


async def test_body_that_is_no_form_is_refused(client: httpx2.AsyncClient, accounts: Accounts) -> None:
    account = await accounts.account()
    url = "/v1/audio/transcriptions"

    async def sent(**body: Any) -> httpx2.Response:
        headers = {**account.headers, **body.pop("headers", {})}
        return await client.post(url, headers=headers, **body)

    form = {"Content-Type": "multipart/form-data; boundary=x"}
    refused(await sent(json={"model": "lab-whisper"}), 400, "invalid_request_error", param="file")
    refused(await sent(json={"model": "lab-whisper", "file": "UklGRg=="}), 400, "invalid_request_error", param="file")
    refused(await sent(content=b"--x\r\nnonsense", headers=form), 400, "invalid_request_error")
    refused(await sent(content=b"", headers=form), 400, "invalid_request_error")
    refused(await sent(data={"model": "lab-whisper"}), 400, "invalid_request_error")
    refused(await sent(content=bytes(4 * 2**20 + 1), headers=form), 413, "file_too_large")
    await accounts.assert_untouched(account)


async def test_retry_with_another_boundary_is_the_same_request(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account = await accounts.account()
    upstream.will(reply(HEARD))
    key = {"Idempotency-Key": "audio-1"}

    first = await transcribe(client, account, key, response_format="srt")
    again = await transcribe(client, account, key, response_format="srt")
    other = await transcribe(client, account, key, response_format="srt", file=wav(1.6))

    assert again.content == first.content
    assert again.headers["content-type"] == first.headers["content-type"]
    assert again.headers["idempotent-replayed"] == "true"
    refused(other, 409, "idempotency_conflict")
    assert await accounts.assert_balanced(account) == 2_000 * MILLISECOND


async def test_test_key_hears_the_sandbox_for_nothing(client: httpx2.AsyncClient, accounts: Accounts) -> None:
    account = await accounts.account(mode=Mode.TEST)

    heard = await transcribe(client, account, model="gpt-4o-transcribe", file=recorded("opus.ogg"))
    limited = await transcribe(client, account, name="sandbox:rate_limit.wav")
    events = events_of((await transcribe(client, account, model="lab-transcribe", stream="true")).content)

    assert heard.json()["text"].startswith("This is the sandbox.")
    assert heard.headers["x-callmissed-engine"] == "canned"
    assert limited.status_code == 429
    assert events[-1]["type"] == "transcript.text.done"


async def test_wallet_for_three_serves_three_at_once(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    held = (1_500 + 30 + 1_000) * MILLISECOND
    account = await accounts.account(credits=(3 * held + 1) / CREDIT)
    gate = Gate()
    upstream.otherwise = reply(HEARD, gate=gate)
    try:
        calls = [asyncio.create_task(transcribe(client, account)) for _ in range(12)]
        await until(lambda: sum(call.done() for call in calls) >= 9)
        gate.open()
        responses = await asyncio.gather(*calls)
    finally:
        upstream.otherwise = ordinary

    assert sorted(response.status_code for response in responses) == [200] * 3 + [402] * 9
    assert await accounts.assert_balanced(account) == 3 * 2_000 * MILLISECOND


async def test_long_audio_is_sent_to_sarvam_in_pieces_and_billed_once(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account = await accounts.account()
    upstream.otherwise = reply({"request_id": "r", "transcript": "part", "language_code": "hi-IN"})
    try:
        response = await transcribe(
            client,
            account,
            model="sarvam-saaras",
            file=wav(70, quiet=(25.0, 50.0)),
            response_format="srt",
            mode="translit",
        )
    finally:
        upstream.otherwise = ordinary

    assert response.status_code == 200, response.text
    assert response.text.count("part") == len(upstream.requests) == 3
    assert upstream.requests[0].path == "/sarvam/speech-to-text"
    assert upstream.requests[0].body["language_code"] == "unknown"
    assert upstream.requests[0].body["mode"] == "translit"
    assert await accounts.assert_balanced(account) == 70_000 * MILLISECOND


async def test_piece_that_fails_costs_nothing(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account = await accounts.account()
    upstream.will(reply({"transcript": "part"}), *[fails(500)] * 5)

    response = await transcribe(client, account, model="sarvam-saaras", file=wav(70))

    refused(response, 503, "provider_error")
    upstream.forget()
    assert await accounts.assert_balanced(account) == 0
