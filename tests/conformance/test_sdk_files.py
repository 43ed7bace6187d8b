"""Files through the official OpenAI SDK, with S3 as moto plays it."""

import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator

import httpx2
import openai
import pytest
import pytest_asyncio

from local.paths import ROOT
from tests.support.inference.gateway import Account, Accounts

MIB = 1024 * 1024


@pytest_asyncio.fixture(scope="session")
async def account(accounts: Accounts) -> AsyncIterator[Account]:
    yield await accounts.account()


@pytest.fixture
def client(base_url: str, account: Account) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=base_url, api_key=account.secret, max_retries=0) as client:
        yield client


def test_file_lives_and_ends(client: openai.OpenAI) -> None:
    body = bytes(range(256)) * 1000

    file = client.files.create(
        file=("calls.jsonl", body),
        purpose="batch",
        expires_after={"anchor": "created_at", "seconds": 3600},
        extra_headers={"Idempotency-Key": "sdk-file"},
    )

    assert client.files.wait_for_processing(file.id, poll_interval=0.1).status == "processed"
    assert (file.filename, file.bytes, file.purpose) == ("calls.jsonl", len(body), "batch")
    assert file.expires_at == file.created_at + 3600
    assert client.files.retrieve(file.id) == file
    assert client.files.content(file.id).read() == body
    assert [each.id for each in client.files.list(purpose="batch", limit=1)] == [file.id]
    assert client.files.delete(file.id).deleted
    with pytest.raises(openai.NotFoundError) as missing:
        client.files.retrieve(file.id)
    assert missing.value.code == "file_not_found"


def test_list_pages_by_itself(client: openai.OpenAI) -> None:
    made = [client.files.create(file=(f"{number}.txt", b"abc"), purpose="user_data").id for number in range(5)]

    listed = [file.id for file in client.files.list(purpose="user_data", limit=2, order="asc")]

    assert set(listed) == set(made)


def test_large_file_goes_to_s3_and_comes_from_there(client: openai.OpenAI, base_url: str, account: Account) -> None:
    body = bytes(11 * MIB)
    announced = {"filename": "call.wav", "bytes": len(body), "purpose": "audio"}

    with httpx2.Client(trust_env=False, timeout=30) as http:
        made = http.post(f"{base_url}/files", json=announced, headers=account.headers).json()
        form = made["upload"]
        assert client.files.retrieve(made["id"]).status == "pending"
        assert http.post(form["url"], data=form["fields"], files={"file": body}).status_code in (200, 204)

    assert client.files.wait_for_processing(made["id"], poll_interval=0.1).status == "processed"
    assert client.files.content(made["id"]).read() == body


def test_uploads_in_parts_are_not_offered(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError):
        client.uploads.create(bytes=3, filename="a", mime_type="text/plain", purpose="batch")


def test_upload_of_no_purpose_is_refused(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        client.files.create(file=("a.txt", b"abc"), purpose="fine-tune")

    assert json.loads(refused.value.response.text)["error"]["param"] == "purpose"


def test_example_runs(base_url: str, account: Account) -> None:
    environment = {**os.environ, "CALLMISSED_API_KEY": account.secret, "CALLMISSED_BASE_URL": base_url}

    command = [sys.executable, str(ROOT / "examples" / "files.py")]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    assert run.returncode == 0, run.stderr
    assert "hello.txt True" in run.stdout and "large.txt True" in run.stdout
