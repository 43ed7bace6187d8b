"""Callbacks of Twilio, signed by its own library over the URL that it called."""

import asyncio
import json
from urllib.parse import parse_qsl
from xml.etree import ElementTree

import pytest

from tests.support.webhooks.callbacks import (
    DOMAIN,
    STATUS,
    VOICE,
    CallbacksApi,
    by_twilio,
    call_form,
    twilio_credentials,
)

DIRECT = f"https://{DOMAIN}/prod"


async def test_a_call_is_stored_and_answered_politely(callbacks_api: CallbacksApi) -> None:
    tenant = await callbacks_api.save(twilio_credentials())
    body, headers = by_twilio(DIRECT + VOICE, call_form())

    answer = await callbacks_api.post(VOICE, body, headers | {"I-Twilio-Idempotency-Token": "t-1"})

    assert (answer.status, answer.headers["content-type"]) == (200, "text/xml; charset=utf-8")
    assert [verb.tag for verb in ElementTree.fromstring(answer.text)] == ["Say", "Hangup"]
    (item,) = await callbacks_api.outbox()
    assert (item["tenant"], item["type"]) == (tenant, "callback.twilio.voice")
    stored = json.loads(item["body"])
    assert dict(parse_qsl(stored["text"]))["CallSid"] == "CA0001"
    assert stored["headers"]["i-twilio-idempotency-token"] == "t-1"
    assert "x-twilio-signature" not in stored["headers"]


@pytest.mark.parametrize(
    "url",
    [
        "https://api.example.com" + VOICE,
        "https://api.example.com:443" + VOICE,
        DIRECT + VOICE,
        f"https://{DOMAIN}:443/prod{VOICE}",
    ],
)
async def test_behind_a_domain_of_ours_both_urls_are_right(callbacks_api: CallbacksApi, url: str) -> None:
    callbacks_api.public_url = "https://api.example.com/"
    await callbacks_api.save(twilio_credentials())
    body, headers = by_twilio(url, call_form())

    assert (await callbacks_api.post(VOICE, body, headers)).status == 200


@pytest.mark.parametrize("url", ["http://api.example.com" + VOICE, "https://evil.example" + VOICE, DIRECT + STATUS])
async def test_another_url_is_not_what_was_signed(callbacks_api: CallbacksApi, url: str) -> None:
    callbacks_api.public_url = "https://api.example.com"
    await callbacks_api.save(twilio_credentials())
    body, headers = by_twilio(url, call_form())

    answer = await callbacks_api.post(VOICE, body, headers)

    assert (answer.status, answer.code) == (401, "invalid_signature")


async def test_what_the_caller_says_of_the_url_is_not_believed(callbacks_api: CallbacksApi) -> None:
    await callbacks_api.save(twilio_credentials())
    body, headers = by_twilio("https://evil.example" + VOICE, call_form())
    claims = {"Host": "evil.example", "X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "https"}

    assert (await callbacks_api.post(VOICE, body, headers | claims)).status == 401


@pytest.mark.parametrize("spelling", ["bot=a+b&x=1&x=2", "bot=a%20b&x=1&x=2"])
async def test_the_query_is_part_of_the_url_however_its_spaces_are_spelled(
    callbacks_api: CallbacksApi, spelling: str
) -> None:
    await callbacks_api.save(twilio_credentials())
    body, headers = by_twilio(f"{DIRECT}{VOICE}?{spelling}", call_form())

    assert (await callbacks_api.post(VOICE, body, headers, query=parse_qsl(spelling))).status == 200
    assert (await callbacks_api.post(VOICE, body, headers)).status == 401
    assert (await callbacks_api.post(VOICE, body, headers, query=[("bot", "another")])).status == 401


async def test_empty_repeated_and_foreign_fields_are_signed_too(callbacks_api: CallbacksApi) -> None:
    await callbacks_api.save(twilio_credentials())
    form = call_form(("Tag", "b"), ("Tag", "a"), ("Tag", "b"), ("CallerName", ""), ("FromCity", "पुणे"))
    body, headers = by_twilio(DIRECT + VOICE, form)

    assert (await callbacks_api.post(VOICE, body, headers)).status == 200
    for changed in (body.replace(b"Tag=a", b"Tag=c"), body.replace(b"CallerName=", b"CallerName=x"), body + b"&New="):
        assert (await callbacks_api.post(VOICE, changed, headers)).status == 401


@pytest.mark.parametrize("signature", ["", "AAAAAAAAAAAAAAAAAAAAAAAAAAA=", "ü"])
async def test_a_wrong_signature_is_refused(callbacks_api: CallbacksApi, signature: str) -> None:
    await callbacks_api.save(twilio_credentials())
    body, _ = by_twilio(DIRECT + VOICE, call_form())

    answer = await callbacks_api.post(VOICE, body, {"X-Twilio-Signature": signature})

    assert (answer.status, answer.code) == (401, "invalid_signature")
    assert await callbacks_api.outbox() == []


@pytest.mark.parametrize(
    "fields", [{"AccountSid": "AC9"}, {"To": "+14155550199"}, {"To": ""}, {"CallSid": ""}, {"To": "sip:" + "x" * 3000}]
)
async def test_a_call_of_nobodys_account_or_number_is_refused(
    callbacks_api: CallbacksApi, fields: dict[str, str]
) -> None:
    await callbacks_api.save(twilio_credentials())
    body, headers = by_twilio(DIRECT + VOICE, call_form(**fields))

    assert (await callbacks_api.post(VOICE, body, headers)).status == 401


@pytest.mark.parametrize("body", [b"", b"\xff=1", b"{}", b"&".join([b"a=1"] * 500)])
async def test_what_is_no_form_is_refused(callbacks_api: CallbacksApi, body: bytes) -> None:
    assert (await callbacks_api.post(VOICE, body, {"X-Twilio-Signature": "x"})).status == 401


async def test_a_call_is_stored_once_and_answered_each_time(callbacks_api: CallbacksApi) -> None:
    await callbacks_api.save(twilio_credentials())
    body, headers = by_twilio(DIRECT + VOICE, call_form())

    answers = await asyncio.gather(*(callbacks_api.post(VOICE, body, headers) for _ in range(10)))

    assert {(answer.status, "<Hangup/>" in answer.text) for answer in answers} == {(200, True)}
    assert len(await callbacks_api.outbox()) == 1


async def test_each_change_of_a_call_is_stored_once(callbacks_api: CallbacksApi) -> None:
    tenant = await callbacks_api.save(twilio_credentials())
    steps = [("ringing", "0"), ("in-progress", "1"), ("in-progress", "1"), ("completed", "2")]

    for name, number in steps:
        body, headers = by_twilio(DIRECT + STATUS, call_form(CallStatus=name, SequenceNumber=number))
        answer = await callbacks_api.post(STATUS, body, headers)
        assert (answer.status, answer.text) == (204, "")

    stored = await callbacks_api.outbox()
    assert {(item["tenant"], item["type"]) for item in stored} == {(tenant, "callback.twilio.status")}
    assert len(stored) == 3


async def test_of_a_call_that_we_placed_our_number_is_the_caller(callbacks_api: CallbacksApi) -> None:
    tenant = await callbacks_api.save(twilio_credentials())
    form = call_form(From="+14155550100", To="+919876543210", Direction="outbound-api", CallStatus="completed")
    body, headers = by_twilio(DIRECT + STATUS, form)

    assert (await callbacks_api.post(STATUS, body, headers)).status == 204
    assert [item["tenant"] for item in await callbacks_api.outbox()] == [tenant]


async def test_two_tenants_may_share_an_account_but_no_number(callbacks_api: CallbacksApi) -> None:
    tenants = [await callbacks_api.save(twilio_credentials(phone_number=f"+1415555010{digit}")) for digit in (0, 1)]

    for digit in (0, 1):
        form = call_form(To=f"+1415555010{digit}", CallSid=f"CA{digit}")
        body, headers = by_twilio(DIRECT + VOICE, form)
        assert (await callbacks_api.post(VOICE, body, headers)).status == 200

    assert {item["tenant"] for item in await callbacks_api.outbox()} == set(tenants)
