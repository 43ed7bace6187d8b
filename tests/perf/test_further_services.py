"""What searches, images and files ask of DynamoDB beside what every call does: counted and never timed."""

import httpx2
import pytest

from callmissed.keys.secret import Mode
from tests.support.audio_files import wav
from tests.support.counting import Count, CountingDynamoDB
from tests.support.inference.gateway import Accounts
from tests.support.inference.upstream import FakeUpstream
from tests.support.inference.wire import HISTORY, TRANSCRIPTIONS, TRANSLATIONS, draw, search, upload

ADMIT, HOLD, ENTRY, APPLY = "UpdateItem keys", "UpdateItem wallets", "PutItem ledger", "UpdateItem wallets"
TENANT, FILE = "GetItem tenants", "GetItem files"


async def test_search_without_a_provider_reads_the_tenants_own_beside_the_hold(
    client: httpx2.AsyncClient, accounts: Accounts, count: Count, asked: FakeUpstream
) -> None:
    account = await accounts.account()

    assert (await search(client, account)).status_code == 200

    assert count.before_upstream == 3
    assert sorted(count.operations) == sorted([ADMIT, HOLD, TENANT, ENTRY, APPLY])
    assert (count.rounds, count.reads, count.units) == (4, 1, 4.5)


async def test_search_of_a_test_key_reads_the_tenants_own_provider(
    client: httpx2.AsyncClient, accounts: Accounts, count: Count
) -> None:
    account = await accounts.account(mode=Mode.TEST)

    assert (await search(client, account)).status_code == 200

    assert count.operations == [ADMIT, TENANT, ENTRY]


async def test_image_is_one_record_and_no_round_trip_more(
    client: httpx2.AsyncClient, accounts: Accounts, count: Count, asked: FakeUpstream
) -> None:
    account = await accounts.account(budget=10**10)

    assert (await draw(client, account)).status_code == 200

    assert count.before_upstream == 2
    assert count.operations[:3] == [ADMIT, HOLD, ENTRY]
    assert sorted(count.operations[3:]) == sorted([APPLY, "PutItem images"])
    assert (count.rounds, count.reads, count.transactions) == (4, 0, 0)
    assert count.units == len(count.exchanges)


async def test_history_of_images_is_one_write_and_one_read(
    client: httpx2.AsyncClient, accounts: Accounts, count: Count
) -> None:
    account = await accounts.account()

    assert (await client.get(HISTORY, headers=account.headers)).status_code == 200

    assert count.operations == [ADMIT, "Query images"]


async def test_upload_takes_its_bytes_and_shows_the_file(
    client: httpx2.AsyncClient, accounts: Accounts, count: Count
) -> None:
    account = await accounts.account()

    file = (await upload(client, account)).json()["id"]

    assert count.operations == [ADMIT, "TransactWriteItems ", "UpdateItem files"]
    assert (await client.get(f"/v1/files/{file}", headers=account.headers)).status_code == 200
    assert count.operations[3:] == [ADMIT, "GetItem files"]


@pytest.mark.parametrize("path", [TRANSCRIPTIONS, TRANSLATIONS])
async def test_stored_audio_is_two_reads_more(
    client: httpx2.AsyncClient, accounts: Accounts, dynamodb: CountingDynamoDB, asked: FakeUpstream, path: str
) -> None:
    account = await accounts.account()
    sent = await upload(client, account, data={"purpose": "audio"}, files={"file": ("a.wav", wav(1.5))})
    count = dynamodb.restart()

    body = {"model": "lab-whisper", "file_id": sent.json()["id"]}
    assert (await client.post(path, json=body, headers=account.headers)).status_code == 200

    assert count.before_upstream == 4
    assert count.operations == [ADMIT, FILE, HOLD, FILE, ENTRY, APPLY]
    assert (count.rounds, count.reads, count.transactions) == (6, 2, 0)
