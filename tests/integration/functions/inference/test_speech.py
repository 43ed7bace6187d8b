"""Speech from admission to settlement: what the caller gets, when it gets it, and what it costs."""

import asyncio
import base64
from collections.abc import Mapping
from typing import Any

import httpx2
import pytest

from callmissed.keys.secret import Mode
from callmissed.money import CREDIT
from tests.support.inference.audio import BEGINNINGS
from tests.support.inference.behaviours import SECRET_TEXT, WAV, fails, ordinary, resets, says, streams
from tests.support.inference.gateway import Account, Accounts
from tests.support.inference.upstream import FakeUpstream, Gate, eventually, until
from tests.support.inference.wire import SPEECH, SPOKEN, events_of, refused, speak

PRICE = 30 * CREDIT // 10_000
"""Micro-credits of a code point of the tests' models."""

TEXT = str(SPOKEN["input"])
HTML = f"<!DOCTYPE html><html><body>{SECRET_TEXT}</body></html>".encode()
KEYED = {"Idempotency-Key": "said-once"}


async def test_speech_costs_its_code_points_and_arrives_as_it_was_sent(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account = await accounts.account(credits=10)

    response = await speak(client, account, input="नमस्ते", voice="nobody", speed=1.5)

    assert response.status_code == 200, response.text
    assert response.content == WAV
    assert response.headers["content-type"] == "audio/wav"
    assert response.headers["x-callmissed-provider"] == "lab"
    assert upstream.only.path == "/lab/v1/audio/speech"
    expected = {"model": "aura-2-en", "input": "नमस्ते", "voice": "alloy", "response_format": "wav", "speed": 1.5}
    assert upstream.only.body == expected
    assert await accounts.assert_balanced(account) == 6 * PRICE
    usage = (await accounts.entry(account.tenant))["usage"]
    assert (usage["service"], usage["outcome"], usage["streamed"]) == ("tts", "completed", True)


async def test_first_bytes_leave_before_the_last_are_there(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account, gate = await accounts.account(), Gate()
    upstream.will(streams([WAV[:400], gate, WAV[400:]]))

    async with client.stream("POST", SPEECH, json=SPOKEN, headers=account.headers) as response:
        parts = response.aiter_bytes()
        first = await anext(parts)
        assert (await accounts.wallet(account.tenant))["h"]  # it is not settled yet
        gate.open()
        audio = first + b"".join([part async for part in parts])

    assert first == WAV[: len(first)]
    assert audio == WAV
    assert await accounts.assert_balanced(account) == len(TEXT) * PRICE


async def test_last_byte_waits_for_the_settlement(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account = await accounts.account()

    async with client.stream("POST", SPEECH, json=SPOKEN, headers=account.headers) as response:
        audio = b""
        async for part in response.aiter_bytes():
            audio += part
            if len(audio) == len(WAV):
                assert await accounts.is_settled(account)

    assert audio == WAV


@pytest.mark.parametrize(
    ("gone", "why"),
    [
        (fails(500), "a failure"),
        (says(HTML), "a page"),
        (says(b'{"audio": "none"}', "application/json"), "JSON"),
        (says(b"", "audio/wav"), "nothing"),
        (says(BEGINNINGS["mp3"], "audio/mpeg"), "another format"),
        (resets(), "no answer"),
        (streams([b"RIFF"], breaks=True), "a body that breaks off before it is known"),
    ],
)
async def test_reply_without_such_audio_leads_to_the_next_route(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream, gone: Any, why: str
) -> None:
    account = await accounts.account()
    upstream.will(gone, gone)

    response = await speak(client, account, model="two-tts")

    assert response.content == WAV, why
    assert [request.path.split("/")[1] for request in upstream.requests] == ["lab", "lab", "second"]
    assert await accounts.assert_balanced(account) == len(TEXT) * PRICE


async def test_failure_before_the_first_byte_has_a_status_of_its_own_and_costs_nothing(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account = await accounts.account()
    upstream.will(says(HTML), says(HTML))

    refused(await speak(client, account), 503, "provider_error")

    assert await accounts.assert_balanced(account) == 0


async def test_audio_that_breaks_off_is_cut_and_charged(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account = await accounts.account()
    upstream.will(streams([WAV[:1_000]], breaks=True))

    with pytest.raises(httpx2.RemoteProtocolError):
        await speak(client, account)

    await eventually(accounts.is_settled, account)
    assert await accounts.assert_balanced(account) == len(TEXT) * PRICE
    assert (await accounts.entry(account.tenant))["usage"]["outcome"] == "upstream_broke"


async def test_caller_who_hangs_up_pays_and_the_upstream_is_cancelled(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account, gate = await accounts.account(), Gate()
    upstream.will(streams([WAV[:1_000], gate, WAV[1_000:]]))

    async with client.stream("POST", SPEECH, json=SPOKEN, headers=account.headers) as response:
        await anext(response.aiter_bytes())

    await eventually(accounts.is_settled, account)
    await until(upstream.only.cut.is_set)
    gate.open()
    assert await accounts.assert_balanced(account) == len(TEXT) * PRICE
    assert (await accounts.entry(account.tenant))["usage"]["outcome"] == "client_closed"


async def test_events_have_the_audio_in_base64(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account = await accounts.account()

    response = await speak(client, account, KEYED, stream_format="sse")

    *deltas, done = events_of(response.content)
    assert response.headers["content-type"].startswith("text/event-stream")
    assert b"".join(base64.b64decode(delta["audio"]) for delta in deltas) == WAV
    assert done == {"type": "speech.audio.done", "usage": {"characters": len(TEXT)}}
    assert await accounts.assert_balanced(account) == len(TEXT) * PRICE


async def test_event_of_an_error_ends_events_that_break_off(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account = await accounts.account()
    upstream.will(streams([WAV[:1_000]], breaks=True))

    response = await speak(client, account, stream_format="sse")

    assert events_of(response.content)[-1]["error"]["code"] == "provider_error"
    assert await accounts.assert_balanced(account) == len(TEXT) * PRICE


async def test_speech_with_an_idempotency_key_is_made_and_charged_once(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account, long = await accounts.account(), WAV + bytes(50_000)
    upstream.will(says(long, "audio/wav"))

    first = await speak(client, account, KEYED)
    again = await speak(client, account, KEYED)

    assert first.content == again.content == long
    assert first.headers["content-type"] == again.headers["content-type"] == "audio/wav"
    assert again.headers["idempotent-replayed"] == "true"
    assert len(upstream.requests) == 1
    assert await accounts.assert_balanced(account) == len(TEXT) * PRICE
    refused(await speak(client, account, KEYED, input="Other"), 409, "idempotency_conflict")


async def test_keyed_speech_that_breaks_off_costs_nothing(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account = await accounts.account()
    upstream.will(streams([WAV[:1_000]], breaks=True))

    refused(await speak(client, account, KEYED), 503, "provider_error")
    assert await accounts.assert_balanced(account) == 0
    assert (await speak(client, account, KEYED)).content == WAV


async def test_as_many_are_spoken_at_once_as_the_wallet_allows(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    served, callers, gate = 4, 16, Gate()
    account = await accounts.account(credits=served * len(TEXT) * PRICE / CREDIT)
    upstream.otherwise = streams([WAV[:400], gate, WAV[400:]])
    try:
        calls = [asyncio.create_task(speak(client, account)) for _ in range(callers)]
        await until(lambda: sum(call.done() for call in calls) >= callers - served)
        gate.open()
        responses = await asyncio.gather(*calls)
    finally:
        upstream.otherwise = ordinary

    assert sum(response.status_code == 200 for response in responses) == len(upstream.requests) == served
    assert [response for response in responses if response.status_code not in (200, 402)] == []
    assert await accounts.assert_balanced(account) == served * len(TEXT) * PRICE


async def test_native_provider_speaks_a_long_text_in_pieces(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account, text = await accounts.account(), "One sentence. " * 200

    response = await speak(client, account, model="native-tts", input=text)

    assert response.status_code == 200
    assert "".join(request.body["text"] for request in upstream.requests) == text
    assert len(upstream.requests) == 2
    assert response.content.count(b"RIFF") == 1
    assert response.content[44:] == WAV[44:] * 2
    assert await accounts.assert_balanced(account) == len(text) * PRICE


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"input": " \n"}, "input"),
        ({"input": "x" * 10_001}, "input"),
        ({"response_format": "mulaw"}, "response_format"),
        ({"speech_sample_rate": 8_000}, "speech_sample_rate"),
        ({"language": "hi-IN"}, "language"),
        ({"unknown": 1}, "unknown"),
        ({"model": "native-tts", "instructions": "Whisper"}, "instructions"),
        ({"model": "lab-chat"}, "model"),
    ],
)
async def test_bad_speech_is_refused_before_anything_is_held(
    client: httpx2.AsyncClient, accounts: Accounts, fields: Mapping[str, Any], param: str
) -> None:
    account = await accounts.account()

    refused(await speak(client, account, **fields), 400, "invalid_request_error", param=param)

    await accounts.assert_untouched(account)


async def test_half_of_a_surrogate_pair_is_refused(client: httpx2.AsyncClient, accounts: Accounts) -> None:
    account = await accounts.account()
    body = b'{"model": "lab-tts", "input": "Hi \\ud800"}'

    refused(await client.post(SPEECH, content=body, headers=account.headers), 400, "invalid_request_error")


async def test_provider_that_refuses_is_not_quoted(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account = await accounts.account()
    upstream.will(fails(400, "invalid_value", "voice"))

    refused(await speak(client, account), 400, "invalid_request_error", param="voice")
    assert await accounts.assert_balanced(account) == 0


@pytest.mark.parametrize(("model", "text"), [("bulbul:v3", "வணக்கம்"), ("sandbox-tts", "Hello"), ("lab-tts", "Hello")])
async def test_test_key_hears_the_sandbox_for_nothing(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream, model: str, text: str
) -> None:
    account: Account = await accounts.account(mode=Mode.TEST)

    response = await speak(client, account, model=model, input=text, response_format="mp3")

    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "audio/mpeg"
    assert (response.headers["x-callmissed-sandbox"], response.headers["x-callmissed-engine"]) == ("true", "tone")
    assert not upstream.requests
    assert await accounts.assert_balanced(account) == 0


async def test_sandbox_that_is_cut_breaks_the_connection(client: httpx2.AsyncClient, accounts: Accounts) -> None:
    account = await accounts.account(mode=Mode.TEST)

    with pytest.raises(httpx2.RemoteProtocolError):
        await speak(client, account, model="sandbox-tts", input="Please break off now. sandbox:cut")
