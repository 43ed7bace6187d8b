"""Callers of transcriptions that hang up: a blocking call runs on, a stream is cut off, and each is paid for once."""

import asyncio

import httpx2
import pytest

from tests.support.audio_files import wav
from tests.support.inference.behaviours import HEARD, reply, streams
from tests.support.inference.gateway import Accounts
from tests.support.inference.upstream import FakeUpstream, Gate, eventually, until
from tests.support.inference.wire import TRANSCRIPTIONS, TRANSLATIONS, transcribe

MILLISECOND = 10
DELTA = b'data: {"type":"transcript.text.delta","delta":"Hello"}\n\n'
LAST = b'data: {"type":"transcript.text.done","text":"Hello"}\n\n'
BUDGET = 10**9


@pytest.mark.parametrize("path", [TRANSCRIPTIONS, TRANSLATIONS])
async def test_blocking_transcription_runs_on_and_costs_what_it_cost(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream, path: str
) -> None:
    account, gate = await accounts.account(budget=BUDGET), Gate()
    upstream.will(reply(HEARD, gate=gate))
    call = asyncio.create_task(transcribe(client, account, path=path))
    await gate.reached()

    call.cancel()
    gate.open()

    await eventually(accounts.is_settled, account)
    assert (await accounts.entry(account.tenant))["usage"]["outcome"] == "completed"
    assert await accounts.assert_balanced(account) == 2_000 * MILLISECOND
    assert (await accounts.key_item(account.secret))["kb"] == BUDGET - 2_000 * MILLISECOND


async def test_hang_up_in_a_stream_cuts_the_upstream_and_costs_the_audio(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account, gate = await accounts.account(budget=BUDGET), Gate()
    upstream.will(streams([DELTA, gate, LAST]))
    form = {"model": "lab-transcribe", "stream": "true"}
    sent = client.stream(
        "POST", TRANSCRIPTIONS, data=form, files={"file": ("a.wav", wav(1.5))}, headers=account.headers
    )

    async with sent as response:
        await anext(response.aiter_bytes())

    await until(upstream.only.cut.is_set)
    await eventually(accounts.is_settled, account)
    gate.open()
    assert (await accounts.entry(account.tenant))["usage"]["outcome"] == "client_closed"
    assert await accounts.assert_balanced(account) == 1_500 * MILLISECOND
    assert (await accounts.key_item(account.secret))["kb"] == BUDGET - 1_500 * MILLISECOND


async def test_hang_up_before_the_first_text_of_a_stream_cuts_it_when_it_begins(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account, gate = await accounts.account(budget=BUDGET), Gate()
    upstream.will(streams([gate, DELTA, Gate(), LAST]))
    call = asyncio.create_task(transcribe(client, account, model="lab-transcribe", stream="true"))
    await gate.reached()

    call.cancel()
    gate.open()

    await until(upstream.only.cut.is_set)
    await eventually(accounts.is_settled, account)
    assert await accounts.assert_balanced(account) == 1_500 * MILLISECOND
