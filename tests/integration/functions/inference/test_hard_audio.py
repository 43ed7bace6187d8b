"""Audio that is none, is cut, lies or is too long, at the endpoint; and audio of strangers, which is not read."""

from collections.abc import Callable
from typing import Any

import httpx2
import pytest

from callmissed.keys.secret import Mode, new_secret
from functions.inference import serving
from tests.support.audio_files import days, recorded, silence, wav
from tests.support.inference.behaviours import HEARD, reply
from tests.support.inference.gateway import Account, Accounts
from tests.support.inference.upstream import FakeUpstream
from tests.support.inference.wire import refused, transcribe

MILLISECOND = 10
"""Micro-credits that a millisecond costs with these models."""

HELD = 1_500 + 1_500 // 50 + 1_000
"""Milliseconds that a second and a half holds."""

NOVA = {"results": {"channels": [{"alternatives": [{"transcript": "Hi", "words": []}]}]}, "metadata": {"duration": 1.5}}


@pytest.fixture
def forms_read(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Sizes of the forms that are parsed."""
    sizes: list[int] = []
    read = serving.read_fields

    def counting(request: object, raw: bytes) -> object:
        sizes.append(len(raw))
        return read(request, raw)  # pyright: ignore[reportArgumentType]  as it was called

    monkeypatch.setattr(serving, "read_fields", counting)
    return sizes


async def test_audio_of_a_stranger_is_not_read(
    client: httpx2.AsyncClient, accounts: Accounts, forms_read: list[int]
) -> None:
    account = await accounts.account(permissions=frozenset({"llm", "tts"}))
    locked = await accounts.account(domains=frozenset({"shop.example"}))
    stranger = Account("", new_secret(Mode.LIVE), "", account.before)
    foreign = {"Origin": "https://elsewhere.example"}

    refused(await transcribe(client, stranger, file=days()), 401, "invalid_api_key")
    refused(await transcribe(client, account, file=days()), 403, "permission_denied")
    refused(await transcribe(client, locked, foreign, file=days()), 403, "domain_not_allowed")

    assert forms_read == []


async def test_call_above_the_keys_rate_is_not_read(
    client: httpx2.AsyncClient, accounts: Accounts, forms_read: list[int]
) -> None:
    account = await accounts.account(rpm=1)

    first = await transcribe(client, account, file=b"no audio")
    refused(first, 400, "invalid_audio")
    refused(await transcribe(client, account), 429, "rate_limit_exceeded")

    assert len(forms_read) == 1


async def test_call_of_a_key_with_a_budget_is_charged_to_it_once_it_is_measured(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    budget = HELD * MILLISECOND
    account = await accounts.account(budget=budget)
    upstream.will(reply(HEARD))

    heard = await transcribe(client, account)
    above = await transcribe(client, account)
    bad = await transcribe(client, account, file=b"no audio")

    assert heard.status_code == 200
    refused(above, 402, "budget_exceeded")
    refused(bad, 400, "invalid_audio")
    assert await accounts.assert_balanced(account) == 2_000 * MILLISECOND
    assert (await accounts.key_item(account.secret))["kb"] == budget - 2_000 * MILLISECOND


@pytest.mark.parametrize(
    "made",
    [
        lambda: b"\x89PNG\r\n\x1a\n" + bytes(500),
        lambda: b"<html><body>no audio</body></html>",
        lambda: wav(0),
        lambda: wav(1.5)[:30],
        lambda: recorded("cbr.mp3")[:3],
        days,
    ],
    ids=["picture", "page", "no samples", "cut in its header", "cut in its first frame", "more than twelve hours"],
)
async def test_audio_that_cannot_be_heard_is_refused(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream, made: Callable[[], bytes]
) -> None:
    account = await accounts.account()

    refused(await transcribe(client, account, file=made()), 400, "invalid_audio", param="file")

    assert not upstream.requests
    await accounts.assert_untouched(account)


@pytest.mark.parametrize(
    ("file", "milliseconds"),
    [(wav(1.5)[:12_044], 750), (wav(1.5, claimed=0), 1_500), (wav(1.5, claimed=2**32 - 1), 1_500), (wav(0.0001), 1)],
    ids=["cut", "claims nothing", "claims days", "one sample"],
)
async def test_what_is_there_is_billed_whatever_the_header_claims(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream, file: bytes, milliseconds: int
) -> None:
    account = await accounts.account()
    upstream.will(reply({"text": "Hi", "segments": []}))

    response = await transcribe(client, account, file=file, name="a.exe")

    assert response.json()["usage"] == {"type": "duration", "seconds": milliseconds / 1_000}
    assert await accounts.assert_balanced(account) == milliseconds * MILLISECOND


async def test_wrong_extension_is_not_believed(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account = await accounts.account()
    upstream.will(reply(HEARD))

    assert (await transcribe(client, account, file=recorded("plain.flac"), name="song.mp3")).status_code == 200

    assert upstream.only.body["file"].name == "audio.flac"


async def test_ten_hours_need_the_credits_of_ten_hours(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    poor, rich = await accounts.account(credits=360), await accounts.account(credits=380)
    upstream.will(reply({"text": "", "segments": []}))

    refused(await transcribe(client, poor, file=silence(10)), 402, "insufficient_credits")
    assert (await transcribe(client, rich, file=silence(10))).status_code == 200

    await accounts.assert_untouched(poor)
    assert await accounts.assert_balanced(rich) >= 10 * 3_600_000 * MILLISECOND


@pytest.mark.parametrize(("multichannel", "channels"), [("true", 5), ("false", 1)])
async def test_five_channels_cost_five_times_where_each_is_heard(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream, multichannel: str, channels: int
) -> None:
    account = await accounts.account()
    upstream.will(reply(NOVA))

    response = await transcribe(
        client, account, model="deepgram-nova", file=wav(1.5, channels=5), multichannel=multichannel
    )

    assert response.status_code == 200, response.text
    assert await accounts.assert_balanced(account) == channels * 1_500 * MILLISECOND


@pytest.mark.parametrize("field", ["diarize", "detect_entities", "keyterm", "redact", "response_format"])
async def test_what_deepgram_charges_extra_for_is_refused_by_name(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream, field: str
) -> None:
    account = await accounts.account()
    values = {"keyterm": "CallMissed", "redact": "pci", "response_format": "diarized_json"}
    asked: dict[str, Any] = {field: values.get(field, "true")}

    response = await transcribe(client, account, model="deepgram-nova", **asked)

    refused(response, 400, "unsupported_field", param=field)
    assert not upstream.requests
    await accounts.assert_untouched(account)


async def test_provider_with_one_price_gets_what_others_charge_extra_for(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account = await accounts.account()
    upstream.will(reply({"result": NOVA, "success": True}))

    response = await transcribe(client, account, model="cloudflare-nova", diarize="true", redact="pci")

    assert response.status_code == 200, response.text
    assert await accounts.assert_balanced(account) == 1_500 * MILLISECOND
    refused(
        await transcribe(client, account, model="cloudflare-nova", keyterm="x"),
        400,
        "unsupported_field",
        param="keyterm",
    )
