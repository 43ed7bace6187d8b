"""Transcriptions of stored files: read as uploads are, and not at all once a file is deleted."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import httpx2
import pytest

from callmissed.files.records import FileOwner
from callmissed.keys.secret import Mode
from callmissed_ai.services.transcription import stored_audio, work
from tests.support.audio_files import recorded, wav
from tests.support.inference.behaviours import HEARD, fails, reply
from tests.support.inference.gateway import Account, Accounts, ServedGateway
from tests.support.inference.upstream import FakeUpstream, Gate
from tests.support.inference.wire import FILES, TRANSCRIPTIONS, TRANSLATIONS, refused, transcribe, upload
from tests.support.memory_files import MemoryFiles

COST = 2_000 * 10
"""Micro-credits for what Whisper hears."""

ANNOUNCED: Mapping[str, Any] = {"filename": "call.wav", "bytes": 3, "purpose": "audio"}


@pytest.fixture
def storage(gateway: ServedGateway) -> MemoryFiles:
    return gateway.container.files._storage  # pyright: ignore


async def stored(
    client: httpx2.AsyncClient, account: Account, body: bytes = b"", *, name: str = "a.wav", purpose: str = "audio"
) -> str:
    """Id of a file of the account's."""
    files = {"file": (name, body or wav(1.5))}
    response = await upload(client, account, data={"purpose": purpose}, files=files)
    assert response.status_code == 200, response.text
    return response.json()["id"]


async def hear(
    client: httpx2.AsyncClient,
    account: Account,
    file_id: object,
    *,
    path: str = TRANSCRIPTIONS,
    headers: Mapping[str, str] | None = None,
    **fields: Any,
) -> httpx2.Response:
    """A transcription of the file, as JSON."""
    body = {"model": "lab-whisper", "file_id": file_id, **fields}
    return await client.post(path, json=body, headers={**account.headers, **(headers or {})})


async def delete(client: httpx2.AsyncClient, account: Account, file_id: str) -> None:
    response = await client.delete(f"{FILES}/{file_id}", headers=account.headers)
    assert response.status_code == 200, response.text


@pytest.mark.parametrize("path", [TRANSCRIPTIONS, TRANSLATIONS])
async def test_stored_file_is_heard_and_billed_as_an_upload(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream, path: str
) -> None:
    account = await accounts.account()
    file_id = await stored(client, account)
    upstream.will(reply(HEARD), reply(HEARD))

    heard = await hear(client, account, file_id, path=path)
    form = {"model": "lab-whisper", "file_id": file_id}
    same = await client.post(path, files={name: (None, text) for name, text in form.items()}, headers=account.headers)

    assert heard.status_code == same.status_code == 200, heard.text
    assert heard.json() == same.json() == {"text": "Hello there.", "usage": {"type": "duration", "seconds": 2.0}}
    for sent in upstream.requests:
        assert (sent.body["file"].name, sent.body["file"].content) == ("audio.wav", wav(1.5))
    assert await accounts.assert_balanced(account) == 2 * COST


async def test_file_above_an_upload_s_four_megabytes_is_heard(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream, storage: MemoryFiles
) -> None:
    account = await accounts.account()
    audio = wav(330, rate=8_000)
    announced = {**ANNOUNCED, "bytes": len(audio)}
    made = (await client.post(FILES, json=announced, headers=account.headers)).json()
    storage.objects[made["upload"]["fields"]["key"]] = audio
    upstream.will(reply({**HEARD, "usage": {}}))

    response = await hear(client, account, made["id"], response_format="verbose_json")

    assert response.json()["duration"] == 330.0
    assert upstream.only.body["file"].content == audio
    assert await accounts.assert_balanced(account) == 330_000 * 10


async def test_file_above_the_limit_is_refused_unread(
    client: httpx2.AsyncClient, accounts: Accounts, storage: MemoryFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = await accounts.account()
    file_id = await stored(client, account)
    monkeypatch.setattr(stored_audio, "MAX_BYTES", len(wav(1.5)) - 1)
    before = storage.read_bytes

    refused(await hear(client, account, file_id), 413, "file_too_large", param="file_id")

    assert storage.read_bytes == before
    await accounts.assert_untouched(account)


async def test_file_that_the_key_does_not_have_is_not_found(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account, other = await accounts.account(), await accounts.account()
    others, batch, gone = [
        await stored(client, other),
        await stored(client, account, purpose="batch"),
        await stored(client, account),
    ]
    await delete(client, account, gone)

    for file_id in (others, batch, gone, "file-" + "0" * 32, "no id at all", ""):
        refused(await hear(client, account, file_id), 404, "file_not_found", param="file_id")

    test = await accounts.key(account.tenant, mode=Mode.TEST)
    mine = await stored(client, account)
    refused(await hear(client, replace(account, secret=test.secret), mine), 404, "file_not_found", param="file_id")
    assert not upstream.requests
    await accounts.assert_untouched(account)


async def test_unusable_file_is_refused_by_name(client: httpx2.AsyncClient, accounts: Accounts) -> None:
    account = await accounts.account()
    awaited = (await client.post(FILES, json=ANNOUNCED, headers=account.headers)).json()["id"]
    text = await stored(client, account, b"no audio at all", name="a.wav")
    audio = await stored(client, account)

    refused(await hear(client, account, awaited), 400, "file_not_uploaded", param="file_id")
    refused(await hear(client, account, text), 400, "invalid_audio", param="file")
    refused(await hear(client, account, 7), 400, "invalid_request_error", param="file_id")
    refused(await hear(client, account, None), 400, "invalid_request_error", param="file")
    both = await transcribe(client, account, file_id=audio)
    refused(both, 400, "invalid_request_error", param="file_id")
    await accounts.assert_untouched(account)


async def test_key_for_speech_to_text_alone_may_name_files(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account = await accounts.account(permissions=frozenset({"stt"}))
    upstream.will(reply(HEARD))

    assert (await hear(client, account, await stored(client, account))).status_code == 200


async def test_file_deleted_while_it_is_read_ends_the_call(
    client: httpx2.AsyncClient,
    accounts: Accounts,
    upstream: FakeUpstream,
    gateway: ServedGateway,
    storage: MemoryFiles,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    account = await accounts.account()
    file_id = await stored(client, account)
    files, read = gateway.container.files, storage.read

    async def deleted(*args: Any) -> bytes:
        await files.delete(FileOwner(account.tenant), file_id)
        return await read(*args)

    monkeypatch.setattr(MemoryFiles, "read", lambda _storage, *args: deleted(*args))  # pyright: ignore[reportUnknownLambdaType]

    refused(await hear(client, account, file_id), 404, "file_not_found", param="file_id")

    assert not upstream.requests
    await accounts.assert_untouched(account)


async def test_file_deleted_after_it_was_read_is_not_sent(
    client: httpx2.AsyncClient,
    accounts: Accounts,
    upstream: FakeUpstream,
    gateway: ServedGateway,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    account = await accounts.account(budget=10**9)
    file_id = await stored(client, account)

    async def then_deleted(*args: Any) -> Mapping[str, Any]:
        fields = await stored_audio.with_stored_audio(*args)
        await gateway.container.files.delete(args[1], file_id)
        return fields

    monkeypatch.setattr(work, "SERVICE", replace(work.SERVICE, with_files=then_deleted))

    refused(await hear(client, account, file_id), 404, "file_not_found", param="file_id")

    assert not upstream.requests
    await accounts.assert_untouched(account)
    assert (await accounts.key_item(account.secret))["kb"] == 10**9


async def test_file_deleted_while_it_is_heard_is_paid_for(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account, gate = await accounts.account(), Gate()
    file_id = await stored(client, account)
    upstream.will(reply(HEARD, gate=gate))
    call = asyncio.create_task(hear(client, account, file_id))
    await gate.reached()
    await delete(client, account, file_id)
    gate.open()

    assert (await call).status_code == 200
    assert await accounts.assert_balanced(account) == COST


async def test_repetition_is_the_same_request_by_the_id_of_the_file(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account, key = await accounts.account(), {"Idempotency-Key": "stored-1"}
    file_id, other = await stored(client, account), await stored(client, account)
    upstream.will(reply(HEARD))

    first = await hear(client, account, file_id, headers=key)
    again = await hear(client, account, file_id, headers=key)

    assert (again.content, again.headers["idempotent-replayed"]) == (first.content, "true")
    refused(await hear(client, account, other, headers=key), 409, "idempotency_conflict")
    assert await accounts.assert_balanced(account) == COST


async def test_failed_call_of_a_stored_file_costs_nothing(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account = await accounts.account()
    file_id = await stored(client, account)
    upstream.will(fails(500), fails(500))

    refused(await hear(client, account, file_id), 503, "provider_error")

    assert await accounts.assert_balanced(account) == 0


async def test_sandbox_hears_stored_files_by_their_name(client: httpx2.AsyncClient, accounts: Accounts) -> None:
    account = await accounts.account(mode=Mode.TEST)
    audio = await stored(client, account, recorded("opus.ogg"), name="a.ogg")
    limited = await stored(client, account, name="sandbox:rate_limit.wav")

    assert (await hear(client, account, audio)).json()["text"].startswith("This is the sandbox.")
    assert (await hear(client, account, limited)).status_code == 429
