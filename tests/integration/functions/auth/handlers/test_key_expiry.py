"""Expired keys are told of once each; the end of an earlier secret is not its key's."""

import asyncio
import json
from typing import Any

import pytest

from callmissed.aws.attributes import Item, from_item, to_item
from callmissed.aws.database import Database
from callmissed.aws.dynamodb import Unavailable
from callmissed.clock import MINUTE, Micros, iso, system_clock
from callmissed.errors import ApiError
from callmissed.keys.expiry import LOOKS_BACK, ExpiryReport, publish_expired
from callmissed.keys.management import NewKey
from callmissed.keys.secret import key_hash
from callmissed.platform.tables import KEYS, physical_name
from functions.auth.handlers import key_expiry
from local.aws.tables import StageTables
from tests.integration.callmissed.keys.conftest import NEW, NOVEMBER, OLD, Vault

HOUR = 60 * MINUTE
END = Micros(NOVEMBER + 2 * HOUR)


async def looked(vault: Vault, now: int = END) -> ExpiryReport:
    return await publish_expired(Database(vault.dynamodb, vault.store.stage), Micros(now))


async def told(vault: Vault) -> list[Item]:
    return [from_item(item) for item in (await vault.everything())["outbox"]]


async def rotated(vault: Vault, key: NewKey, overlap_minutes: int, now: int = NOVEMBER) -> NewKey:
    return await vault.manager.rotate(
        key.record.tenant, key.record.key_id, overlap_minutes=overlap_minutes, now=Micros(now)
    )


async def test_an_expired_key_is_told_of_with_its_time(lone_vault: Vault) -> None:
    key = await lone_vault.key(expires=END)
    await lone_vault.key()
    await lone_vault.key(expires=END + 1)

    assert await looked(lone_vault, END + 20 * MINUTE - HOUR) == ExpiryReport(0, 0)
    assert await looked(lone_vault) == ExpiryReport(1, 1)

    (event,) = await told(lone_vault)
    body = json.loads(event["body"])
    assert (event["tenant"], event["type"]) == (key.record.tenant, "api_key.expired")
    assert body["data"] == {"key_id": key.record.key_id, "expired_at": iso(END)}
    assert body["timestamp"] == iso(END)
    assert key.secret not in event["body"]


async def test_runs_that_overlap_or_repeat_tell_once(lone_vault: Vault) -> None:
    tenant = await lone_vault.tenant()
    for _ in range(5):
        await lone_vault.key(tenant, expires=END)

    reports = await asyncio.gather(*[looked(lone_vault, END + hour * HOUR) for hour in (0, 0, 0, 1, 2, 24)])

    assert sum(report.published for report in reports) == len(await told(lone_vault)) == 5
    assert await looked(lone_vault, END + 3 * HOUR) == ExpiryReport(5, 0)


@pytest.mark.parametrize(
    ("late", "ended"), [(-1, 0), (0, 1), (LOOKS_BACK - 1, 1), (LOOKS_BACK, 0)], ids=["early", "then", "late", "missed"]
)
async def test_how_far_a_run_looks_back(lone_vault: Vault, late: int, ended: int) -> None:
    await lone_vault.key(expires=END)

    assert (await looked(lone_vault, END + late)).published == ended


async def test_the_end_of_an_overlap_is_not_the_keys(lone_vault: Vault) -> None:
    endless, key = await lone_vault.key(), await lone_vault.key(expires=END + 10 * HOUR)
    for each in (endless, key):
        await rotated(lone_vault, each, 10)

    assert await looked(lone_vault) == ExpiryReport(2, 0)
    assert await looked(lone_vault, END + 10 * HOUR) == ExpiryReport(3, 1)
    assert len(await told(lone_vault)) == 1


async def test_secrets_that_end_with_their_key_are_one_event(lone_vault: Vault) -> None:
    key = await lone_vault.key(expires=END)
    second = await rotated(lone_vault, key, 24 * 60)
    await rotated(lone_vault, second, 24 * 60)

    assert await looked(lone_vault) == ExpiryReport(3, 1)


async def test_a_revoked_key_does_not_expire(lone_vault: Vault) -> None:
    key = await lone_vault.key(expires=END)
    await lone_vault.manager.revoke(key.record.tenant, key.record.key_id)

    assert await looked(lone_vault) == ExpiryReport(0, 0)


async def test_a_key_that_is_revoked_while_it_is_looked_at_is_not_told_of(lone_vault: Vault) -> None:
    key, interleaved = await lone_vault.key(expires=END), lone_vault.interleaved()
    interleaved.before("GetItem", lambda: lone_vault.manager.revoke(key.record.tenant, key.record.key_id))

    report = await publish_expired(Database(interleaved, lone_vault.store.stage), END)

    assert report == ExpiryReport(1, 0)
    assert await told(lone_vault) == []


async def test_a_key_that_moved_to_another_pepper_is_told_of(lone_vault: Vault) -> None:
    key = await lone_vault.key(expires=END)
    await lone_vault.call(key.secret, 0, NOVEMBER, NEW, OLD)
    assert await lone_vault.hot(key.secret, NEW)

    assert await looked(lone_vault) == ExpiryReport(1, 1)


async def test_a_key_without_a_record_does_not_keep_the_others_waiting(lone_vault: Vault) -> None:
    keys = [await lone_vault.key(expires=END) for _ in range(4)]
    item = await lone_vault.hot(keys[0].secret) | {"id": key_hash(OLD, "orphan"), "kid": "key_orphan"}
    table = physical_name(lone_vault.store.stage, KEYS)
    await lone_vault.dynamodb.call("PutItem", {"TableName": table, "Item": to_item(item)})

    with pytest.raises(ApiError, match="No such key"):
        await looked(lone_vault)

    assert len(await told(lone_vault)) == 4


async def test_what_the_scan_costs(lone_vault: Vault) -> None:
    tenant = await lone_vault.tenant()
    for _ in range(40):
        await lone_vault.key(tenant)

    request = {"TableName": physical_name(lone_vault.store.stage, KEYS), "ReturnConsumedCapacity": "TOTAL"}
    units = (await lone_vault.dynamodb.call("Scan", request))["ConsumedCapacity"]["CapacityUnits"]

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
    with pytest.raises((KeyError, ValueError)):
        key_expiry.handler(wrong, None)


@pytest.mark.usefixtures("environment")
def test_a_run_that_could_not_read_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    async def unwell(*_: Any) -> dict[str, Any]:
        raise Unavailable("throttled", indeterminate=False)

    monkeypatch.setattr("callmissed.aws.dynamodb.DynamoDB.send", unwell)

    with pytest.raises(Unavailable):
        key_expiry.handler({"at": iso(NOVEMBER)}, None)
