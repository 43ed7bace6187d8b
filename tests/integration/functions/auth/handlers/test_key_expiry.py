"""Expired keys are published once each; the end of an earlier secret is not its key's."""

import asyncio
import json
from typing import Any

import pytest

from callmissed.aws.attributes import Item, from_item, to_item
from callmissed.aws.database import Database
from callmissed.aws.dynamodb import Unavailable
from callmissed.aws.runtime import InvocationFailedError
from callmissed.clock import MINUTE, Micros, iso, system_clock
from callmissed.errors import ApiError
from callmissed.keys.expiry import LOOKS_BACK, ExpiryReport, publish_expired
from callmissed.keys.management import NewKey
from callmissed.keys.secret import key_hash
from callmissed.platform.tables import KEYS, physical_name
from functions.auth.handlers import key_expiry
from local.aws.tables import StageTables
from tests.support.keys.key_store import NEW, NOVEMBER, OLD, KeyStore

HOUR = 60 * MINUTE
END = Micros(NOVEMBER + 2 * HOUR)


async def looked(key_store: KeyStore, now: int = END) -> ExpiryReport:
    return await publish_expired(Database(key_store.dynamodb, key_store.store.stage), Micros(now))


async def published(key_store: KeyStore) -> list[Item]:
    return [from_item(item) for item in (await key_store.everything())["outbox"]]


async def rotated(key_store: KeyStore, key: NewKey, overlap_minutes: int, now: int = NOVEMBER) -> NewKey:
    return await key_store.manager.rotate(
        key.record.tenant, key.record.key_id, overlap_minutes=overlap_minutes, now=Micros(now)
    )


async def test_an_expired_key_is_published_with_its_time(fresh_key_store: KeyStore) -> None:
    key = await fresh_key_store.key(expires=END)
    await fresh_key_store.key()
    await fresh_key_store.key(expires=END + 1)

    assert await looked(fresh_key_store, END + 20 * MINUTE - HOUR) == ExpiryReport(0, 0)
    assert await looked(fresh_key_store) == ExpiryReport(1, 1)

    (event,) = await published(fresh_key_store)
    body = json.loads(event["body"])
    assert (event["tenant"], event["type"]) == (key.record.tenant, "api_key.expired")
    assert body["data"] == {"key_id": key.record.key_id, "expired_at": iso(END)}
    assert body["timestamp"] == iso(END)
    assert key.secret not in event["body"]


async def test_runs_that_overlap_or_repeat_publish_once(fresh_key_store: KeyStore) -> None:
    tenant = await fresh_key_store.tenant()
    for _ in range(5):
        await fresh_key_store.key(tenant, expires=END)

    reports = await asyncio.gather(*[looked(fresh_key_store, END + hour * HOUR) for hour in (0, 0, 0, 1, 2, 24)])

    assert sum(report.published for report in reports) == len(await published(fresh_key_store)) == 5
    assert await looked(fresh_key_store, END + 3 * HOUR) == ExpiryReport(5, 0)


@pytest.mark.parametrize(
    ("late", "ended"), [(-1, 0), (0, 1), (LOOKS_BACK - 1, 1), (LOOKS_BACK, 0)], ids=["early", "then", "late", "missed"]
)
async def test_how_far_a_run_looks_back(fresh_key_store: KeyStore, late: int, ended: int) -> None:
    await fresh_key_store.key(expires=END)

    assert (await looked(fresh_key_store, END + late)).published == ended


async def test_the_end_of_an_overlap_is_not_the_keys(fresh_key_store: KeyStore) -> None:
    endless, key = await fresh_key_store.key(), await fresh_key_store.key(expires=END + 10 * HOUR)
    for each in (endless, key):
        await rotated(fresh_key_store, each, 10)

    assert await looked(fresh_key_store) == ExpiryReport(2, 0)
    assert await looked(fresh_key_store, END + 10 * HOUR) == ExpiryReport(3, 1)
    assert len(await published(fresh_key_store)) == 1


async def test_secrets_that_end_with_their_key_are_one_event(fresh_key_store: KeyStore) -> None:
    key = await fresh_key_store.key(expires=END)
    second = await rotated(fresh_key_store, key, 24 * 60)
    await rotated(fresh_key_store, second, 24 * 60)

    assert await looked(fresh_key_store) == ExpiryReport(3, 1)


async def test_a_revoked_key_does_not_expire(fresh_key_store: KeyStore) -> None:
    key = await fresh_key_store.key(expires=END)
    await fresh_key_store.manager.revoke(key.record.tenant, key.record.key_id)

    assert await looked(fresh_key_store) == ExpiryReport(0, 0)


async def test_a_key_that_is_revoked_while_it_is_read_is_not_published(fresh_key_store: KeyStore) -> None:
    key, interleaved = await fresh_key_store.key(expires=END), fresh_key_store.interleaved()
    interleaved.before("GetItem", lambda: fresh_key_store.manager.revoke(key.record.tenant, key.record.key_id))

    report = await publish_expired(Database(interleaved, fresh_key_store.store.stage), END)

    assert report == ExpiryReport(1, 0)
    assert await published(fresh_key_store) == []


async def test_a_key_that_moved_to_another_pepper_is_published(fresh_key_store: KeyStore) -> None:
    key = await fresh_key_store.key(expires=END)
    await fresh_key_store.call(key.secret, 0, NOVEMBER, NEW, OLD)
    assert await fresh_key_store.hot(key.secret, NEW)

    assert await looked(fresh_key_store) == ExpiryReport(1, 1)


async def test_a_key_without_a_record_does_not_keep_the_others_waiting(fresh_key_store: KeyStore) -> None:
    keys = [await fresh_key_store.key(expires=END) for _ in range(4)]
    item = await fresh_key_store.hot(keys[0].secret) | {"id": key_hash(OLD, "orphan"), "kid": "key_orphan"}
    table = physical_name(fresh_key_store.store.stage, KEYS)
    await fresh_key_store.dynamodb.call("PutItem", {"TableName": table, "Item": to_item(item)})

    with pytest.raises(ApiError, match="No such key"):
        await looked(fresh_key_store)

    assert len(await published(fresh_key_store)) == 4


async def test_what_the_scan_costs(fresh_key_store: KeyStore) -> None:
    tenant = await fresh_key_store.tenant()
    for _ in range(40):
        await fresh_key_store.key(tenant)

    request = {"TableName": physical_name(fresh_key_store.store.stage, KEYS), "ReturnConsumedCapacity": "TOTAL"}
    units = (await fresh_key_store.dynamodb.call("Scan", request))["ConsumedCapacity"]["CapacityUnits"]

    assert units / 40 <= 500 / 10_000


@pytest.fixture
def environment(tables: StageTables, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CALLMISSED_STAGE", tables.stage)
    monkeypatch.setenv("CALLMISSED_DYNAMODB_ENDPOINT", tables.endpoint)


@pytest.mark.usefixtures("environment")
def test_the_schedule_reports_what_it_found() -> None:
    assert key_expiry.handler({"schedule": "key-expiry", "at": iso(system_clock())}, None) == {
        "ended": 0,
        "published": 0,
    }


@pytest.mark.usefixtures("environment")
@pytest.mark.parametrize("wrong", [{}, {"at": "yesterday"}])
def test_an_event_without_a_time_is_an_error(wrong: dict[str, str]) -> None:
    with pytest.raises(InvocationFailedError):
        key_expiry.handler(wrong, None)


@pytest.mark.usefixtures("environment")
def test_a_run_that_could_not_read_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    async def unwell(*_: Any) -> dict[str, Any]:
        raise Unavailable("throttled", indeterminate=False)

    monkeypatch.setattr("callmissed.aws.dynamodb.DynamoDB.send", unwell)

    with pytest.raises(InvocationFailedError):
        key_expiry.handler({"at": iso(NOVEMBER)}, None)
