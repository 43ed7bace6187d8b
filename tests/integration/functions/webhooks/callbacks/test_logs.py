"""Nothing of a callback reaches a log: no token, no secret, no signature, no content."""

import pytest

from tests.support.logs import written_logs
from tests.support.webhooks.callbacks import (
    APP_SECRET,
    CASHFREE,
    CASHFREE_SECRET,
    STATUS,
    TOKEN,
    VOICE,
    WHATSAPP,
    CallbacksApi,
    body_of,
    by_cashfree,
    by_meta,
    change,
    message,
    payment,
    twilio_credentials,
    whatsapp_credentials,
)

MARKER = "marker-that-nobody-may-read-4711"
BODIES = (
    MARKER.encode(),
    b"\xff" + MARKER.encode(),
    b'{"object": "' + MARKER.encode() + b'"}',
    b"AccountSid=AC0123&To=%2B14155550100&CallSid=" + MARKER.encode() + b"%ff",
    body_of(change(messages=[message(MARKER, MARKER)])),
    body_of(change(MARKER, messages=[message(MARKER, MARKER)])),
    b"[" * 50_000 + MARKER.encode(),
)


@pytest.fixture
async def connected(callbacks_api: CallbacksApi) -> CallbacksApi:
    await callbacks_api.save(whatsapp_credentials())
    await callbacks_api.save(twilio_credentials())
    return callbacks_api


@pytest.mark.parametrize("path", [WHATSAPP, VOICE, STATUS, CASHFREE])
async def test_hostile_callback_is_quoted_nowhere(connected: CallbacksApi, path: str) -> None:
    forged: dict[str, str] = {}
    for name in ("X-Twilio-Signature", "X-Hub-Signature-256", "x-webhook-signature"):
        forged[name] = MARKER
    with written_logs() as logs:
        for body in BODIES:
            signed = by_meta(body) if path == WHATSAPP else by_cashfree(body)
            for shown in (forged, signed, {}):
                await connected.post(path, body, shown, query=[("bot", MARKER)])

    for hidden in (MARKER, APP_SECRET, TOKEN, CASHFREE_SECRET):
        assert hidden not in logs.text


@pytest.mark.parametrize("token", ["blue-kettle", MARKER])
async def test_verify_token_is_in_no_log(connected: CallbacksApi, token: str) -> None:
    query = [("hub.mode", "subscribe"), ("hub.verify_token", token), ("hub.challenge", MARKER)]

    with written_logs() as logs:
        await connected.call("GET", WHATSAPP, query=query)

    assert token not in logs.text
    assert MARKER not in logs.text


async def test_defect_in_a_route_is_logged_without_its_text(
    connected: CallbacksApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def defective(*_arguments: object) -> None:
        raise ValueError(MARKER)

    monkeypatch.setattr("functions.webhooks.callbacks.routes.receive", defective)

    with written_logs() as logs:
        answer = await connected.post(CASHFREE, payment(), by_cashfree(payment()))

    assert (answer.status, answer.code) == (500, "internal_error")
    assert "ValueError" in logs.text
    assert "in defective" in logs.text
    assert MARKER not in logs.text
