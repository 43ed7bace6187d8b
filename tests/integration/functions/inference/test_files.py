"""Files over the wire: what uploads, lists and downloads answer, and to whom."""

import asyncio
from collections.abc import Mapping
from typing import Any

import httpx2
import pytest

from callmissed.aws.database import Database
from callmissed.files.allowance import stored_bytes
from callmissed.keys.secret import Mode
from callmissed.plans.plans import Plan
from functions.inference.routes import files as files_routes
from tests.support.inference.gateway import Account, Accounts, ServedGateway
from tests.support.inference.wire import FILES, refused, upload
from tests.support.memory_files import MemoryFiles

MIB = 1024 * 1024
ANNOUNCED: Mapping[str, Any] = {"filename": "call.wav", "bytes": 3, "purpose": "audio"}


def storage_of(gateway: ServedGateway) -> MemoryFiles:
    return gateway.container.files._storage  # pyright: ignore


async def used(accounts: Accounts, account: Account) -> int:
    return await stored_bytes(Database(accounts.dynamodb, accounts.stage), account.tenant)


async def content(client: httpx2.AsyncClient, account: Account, file_id: str) -> httpx2.Response:
    return await client.get(f"{FILES}/{file_id}/content", headers=account.headers)


async def test_uploaded_file_is_shown_listed_read_and_deleted(client: httpx2.AsyncClient, accounts: Accounts) -> None:
    account = await accounts.account()

    file = (await upload(client, account, files={"file": ('नोट "1".txt', b"abc")})).json()

    assert file | {"id": "", "created_at": 0, "expires_at": 0} == {
        "id": "",
        "object": "file",
        "bytes": 3,
        "created_at": 0,
        "expires_at": 0,
        "filename": 'नोट "1".txt',
        "purpose": "batch",
        "status": "processed",
        "status_details": None,
    }
    assert file["expires_at"] - file["created_at"] == 30 * 24 * 3600
    path = f"{FILES}/{file['id']}"
    assert (await client.get(path, headers=account.headers)).json() == file
    assert (await client.get(FILES, headers=account.headers)).json() == {
        "object": "list",
        "data": [file],
        "first_id": file["id"],
        "last_id": file["id"],
        "has_more": False,
    }
    read = await content(client, account, file["id"])
    assert (read.content, read.headers["content-type"]) == (b"abc", "application/octet-stream")
    assert read.headers["x-content-type-options"] == "nosniff"
    assert read.headers["content-disposition"].startswith("attachment; ")
    deleted = await client.delete(path, headers=account.headers)
    assert deleted.json() == {"id": file["id"], "object": "file", "deleted": True}
    refused(await client.get(path, headers=account.headers), 404, "file_not_found", param="file_id")
    refused(await content(client, account, file["id"]), 404, "file_not_found")
    assert await used(accounts, account) == 0


async def test_announced_file_comes_through_its_form(
    client: httpx2.AsyncClient, accounts: Accounts, gateway: ServedGateway
) -> None:
    account = await accounts.account()

    file = (await client.post(FILES, json=ANNOUNCED, headers=account.headers)).json()

    form = file.pop("upload")
    assert (file["status"], form["method"], form["expires_at"] - file["created_at"]) == ("pending", "POST", 900)
    refused(await content(client, account, file["id"]), 400, "file_not_uploaded")
    storage_of(gateway).objects[form["fields"]["key"]] = b"abc"
    listed = (await client.get(FILES, headers=account.headers)).json()["data"]
    assert listed == [file | {"status": "processed"}]
    assert (await content(client, account, file["id"])).content == b"abc"


async def test_large_content_is_read_through_a_link(
    client: httpx2.AsyncClient, accounts: Accounts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files_routes, "MAX_DIRECT_BYTES", 2)
    account = await accounts.account()
    file = (await upload(client, account, files={"file": ("a.txt", b"abc")})).json()

    answer = await content(client, account, file["id"])

    assert (answer.status_code, answer.headers["cache-control"]) == (302, "no-store")
    assert answer.headers["location"].startswith("https://files.example/")


async def test_pages_go_on_after_the_last_file(client: httpx2.AsyncClient, accounts: Accounts) -> None:
    account = await accounts.account()
    made = [(await upload(client, account)).json()["id"] for _ in range(3)]

    first = (await client.get(FILES, params={"limit": 2}, headers=account.headers)).json()
    rest = (await client.get(FILES, params={"after": first["last_id"], "limit": 2}, headers=account.headers)).json()

    assert first["has_more"] and not rest["has_more"]
    assert {file["id"] for file in first["data"] + rest["data"]} == set(made)
    assert (await client.get(FILES, params={"purpose": "audio"}, headers=account.headers)).json()["data"] == []
    bad = ({"after": "file-1"}, {"limit": 0}, {"limit": 10_001}, {"order": "up"})
    for query in bad:
        answer = await client.get(FILES, params=query, headers=account.headers)
        refused(answer, 400, "invalid_request_error", param=next(iter(query)))


async def test_test_keys_have_files_of_their_own(client: httpx2.AsyncClient, accounts: Accounts) -> None:
    account = await accounts.account()
    key = await accounts.key(account.tenant, mode=Mode.TEST)
    sandboxed = Account(account.tenant, key.secret, key.record.key_id, account.before)

    file = await upload(client, sandboxed)

    assert file.headers["x-callmissed-sandbox"] == "true"
    refused(await content(client, account, file.json()["id"]), 404, "file_not_found")
    assert (await content(client, sandboxed, file.json()["id"])).status_code == 200


@pytest.mark.parametrize("permission", ["stt", "tts"])
async def test_key_uses_files_for_what_it_may_call(
    client: httpx2.AsyncClient, accounts: Accounts, permission: str
) -> None:
    account = await accounts.account()
    key = await accounts.key(account.tenant, permissions=frozenset({permission}))
    limited = Account(account.tenant, key.secret, key.record.key_id, account.before)
    batch = (await upload(client, account)).json()["id"]
    audio = (await upload(client, account, data={"purpose": "audio"})).json()["id"]

    refused(await upload(client, limited), 403, "permission_denied")
    if permission == "tts":
        refused(await client.get(FILES, headers=limited.headers), 403, "permission_denied")
        refused(await content(client, limited, audio), 403, "permission_denied")
        return
    assert (await upload(client, limited, data={"purpose": "audio"})).status_code == 200
    assert (await content(client, limited, audio)).status_code == 200
    for call in (client.get, client.delete):
        refused(await call(f"{FILES}/{batch}", headers=limited.headers), 404, "file_not_found")
    listed = (await client.get(FILES, headers=limited.headers)).json()["data"]
    assert {file["purpose"] for file in listed} == {"audio"}
    assert (await client.get(FILES, params={"purpose": "batch"}, headers=limited.headers)).json()["data"] == []


async def test_plan_has_room_for_exactly_as_many_as_fit(client: httpx2.AsyncClient, accounts: Accounts) -> None:
    account = await accounts.account(plan=Plan.FREE)  # 100 MB
    body = {**ANNOUNCED, "bytes": 30 * MIB}

    answers = await asyncio.gather(*(client.post(FILES, json=body, headers=account.headers) for _ in range(12)))

    assert sum(answer.status_code == 200 for answer in answers) == 3
    for answer in answers:
        if answer.status_code != 200:
            refused(answer, 429, "quota_exceeded", type="insufficient_quota")
    assert await used(accounts, account) == 90 * MIB


async def test_repeated_upload_makes_one_file(client: httpx2.AsyncClient, accounts: Accounts) -> None:
    """The SDKs send a retry between other boundaries, which httpx draws for each request."""
    account = await accounts.account()

    first, again = [await upload(client, account, {"Idempotency-Key": "one"}) for _ in range(2)]

    assert (first.content, again.headers["idempotent-replayed"]) == (again.content, "true")
    assert len((await client.get(FILES, headers=account.headers)).json()["data"]) == 1
    other = await upload(client, account, {"Idempotency-Key": "one"}, files={"file": ("a.txt", b"other")})
    refused(other, 409, "idempotency_conflict")


async def test_upload_that_fails_may_be_repeated_under_its_key(
    client: httpx2.AsyncClient, accounts: Accounts, gateway: ServedGateway
) -> None:
    account, storage = await accounts.account(), storage_of(gateway)
    storage.fails = lambda operation: operation == "put"
    try:
        refused(await upload(client, account, {"Idempotency-Key": "two"}), 503, "service_unavailable")
    finally:
        storage.fails = lambda _: False

    assert await used(accounts, account) == 0
    assert (await upload(client, account, {"Idempotency-Key": "two"})).status_code == 200


@pytest.mark.parametrize(
    ("request_parts", "status", "code"),
    [
        ({"files": {"file": ("a.txt", bytes(4 * MIB))}}, 413, "file_too_large"),
        ({"data": {"purpose": "fine-tune"}}, 400, "invalid_request_error"),
        ({"files": {"other": ("a.txt", b"abc")}}, 400, "invalid_request_error"),
        ({"data": None, "files": None, "content": b"{"}, 400, "invalid_request_error"),
        ({"data": None, "files": None, "json": {**ANNOUNCED, "bytes": 513 * MIB}}, 400, "invalid_request_error"),
    ],
)
async def test_bad_upload_is_refused_and_takes_nothing(
    client: httpx2.AsyncClient, accounts: Accounts, request_parts: Mapping[str, Any], status: int, code: str
) -> None:
    account = await accounts.account()

    refused(await upload(client, account, **request_parts), status, code)

    assert await used(accounts, account) == 0


async def test_error_of_the_key_comes_before_one_of_the_body(client: httpx2.AsyncClient, accounts: Accounts) -> None:
    account = await accounts.account()
    await accounts.keys.revoke(account.tenant, account.key_id)

    refused(await upload(client, account, data={"purpose": "none"}), 401, "invalid_api_key")


@pytest.mark.parametrize("file_id", ["file-1", "file-" + "0" * 32, "file-" + "G" * 32, "x" * 500, "%00"])
async def test_id_that_nobody_has_is_not_found(client: httpx2.AsyncClient, accounts: Accounts, file_id: str) -> None:
    account = await accounts.account()

    for path in (f"{FILES}/{file_id}", f"{FILES}/{file_id}/content"):
        refused(await client.get(path, headers=account.headers), 404, "file_not_found")


async def test_parts_of_large_uploads_are_not_offered(client: httpx2.AsyncClient, accounts: Accounts) -> None:
    account = await accounts.account()

    assert (await client.post("/v1/uploads", json={}, headers=account.headers)).status_code == 404
