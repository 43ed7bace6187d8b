"""A key that others change before each try: bounded tries, then a clear refusal, and nothing half done."""

import itertools
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from callmissed.aws.attributes import to_item
from callmissed.aws.database import Database
from callmissed.clock import SECOND, Micros
from callmissed.errors import ApiError
from callmissed.keys import management
from callmissed.keys.admission import Admission
from callmissed.keys.management import NewKey
from callmissed.keys.policy import KeyPolicy
from callmissed.keys.secret import Mode, key_hash
from callmissed.money import NOTHING, MicroCredits
from callmissed.plans.plans import Plan
from callmissed.platform.tables import KEYS, physical_name
from callmissed.tenants.tenants import Tenant, get_tenant
from tests.support.keys.key_store import NEW, NOVEMBER, OLD, KeyStore

TRIES = 10


async def write(key_store: KeyStore, key: NewKey, **attributes: Any) -> None:
    """Set attributes of the key's hot item, as another process would."""
    request = {
        "TableName": physical_name(key_store.store.stage, KEYS),
        "Key": to_item({"id": key_hash(OLD, key.secret)}),
        "UpdateExpression": "SET " + ", ".join(f"#{name} = :{name}" for name in attributes),
        "ExpressionAttributeNames": {f"#{name}": name for name in attributes},
        "ExpressionAttributeValues": to_item({f":{name}": value for name, value in attributes.items()}),
    }
    await key_store.dynamodb.call("UpdateItem", request)


async def rotate(key_store: KeyStore, key: NewKey) -> NewKey:
    return await key_store.manager.rotate(key.record.tenant, key.record.key_id, overlap_minutes=0, now=NOVEMBER)


async def test_admission_ends_when_the_branch_is_wrong_each_time(key_store: KeyStore) -> None:
    key, interleaved = await key_store.key(), key_store.interleaved()
    ahead = partial(write, key_store, key, tat=NOVEMBER + SECOND, u=NOVEMBER)
    behind = partial(write, key_store, key, tat=0, u=0)
    interleaved.before("UpdateItem", ahead, behind, ahead, behind)

    with pytest.raises(ApiError) as refused:
        await key_store.ring(OLD, dynamodb=interleaved).admit(key.secret, NOTHING, NOVEMBER)

    assert (refused.value.status, interleaved.pending, interleaved.sent["UpdateItem"]) == (503, 0, 4)


async def test_authentication_ends_when_the_key_works_only_between_its_writes(key_store: KeyStore) -> None:
    key, interleaved = await key_store.key(), key_store.interleaved()
    item = to_item({"id": key_hash(OLD, key.secret)})
    own = {"matching": lambda request: request["Key"] == item}
    interleaved.before("UpdateItem", *[partial(write, key_store, key, st="revoked")] * 4, **own)
    interleaved.before("GetItem", *[partial(write, key_store, key, st="active")] * 4, **own)

    with pytest.raises(ApiError) as refused:
        await key_store.ring(OLD, NEW, dynamodb=interleaved).admit(key.secret, NOTHING, NOVEMBER)

    assert (refused.value.status, interleaved.pending) == (503, 0)
    assert (await key_store.hot(key.secret))["tat"] == 0


async def test_refund_of_a_key_that_is_gone_writes_nothing(key_store: KeyStore) -> None:
    key = await key_store.key(budget=100)
    admitted = await key_store.call(key.secret, 30)
    new = await rotate(key_store, key)

    await Admission(Database(key_store.dynamodb, key_store.store.stage)).give_back(admitted, MicroCredits(30))

    assert await key_store.hot(key.secret) == {}
    assert (await key_store.hot(new.secret))["kb"] == 70


async def test_revocation_of_a_key_that_rotates_each_time_is_a_conflict(key_store: KeyStore) -> None:
    key, interleaved = await key_store.key(), key_store.interleaved()
    interleaved.before("TransactWriteItems", *[partial(rotate, key_store, key)] * TRIES)

    with pytest.raises(ApiError) as refused:
        await key_store.managed_by(interleaved).revoke(key.record.tenant, key.record.key_id)

    assert (refused.value.status, interleaved.pending) == (409, 0)
    assert (await key_store.manager.get(key.record.tenant, key.record.key_id)).is_active


async def test_rotation_of_a_key_that_is_called_each_time_is_a_conflict(key_store: KeyStore) -> None:
    key, interleaved = await key_store.key(budget=100), key_store.interleaved()
    interleaved.before("TransactWriteItems", *[partial(key_store.call, key.secret, 1)] * TRIES)

    with pytest.raises(ApiError) as refused:
        await key_store.managed_by(interleaved).rotate(
            key.record.tenant, key.record.key_id, overlap_minutes=0, now=NOVEMBER
        )

    assert (refused.value.status, interleaved.pending) == (409, 0)
    assert (await key_store.hot(key.secret))["kb"] == 90


async def test_rotation_that_reads_the_items_of_an_earlier_record_is_a_conflict(key_store: KeyStore) -> None:
    key, interleaved = await key_store.key(), key_store.interleaved()
    interleaved.before("BatchGetItem", partial(rotate, key_store, key))

    with pytest.raises(ApiError) as refused:
        await key_store.managed_by(interleaved).rotate(
            key.record.tenant, key.record.key_id, overlap_minutes=0, now=Micros(NOVEMBER)
        )

    assert (refused.value.status, interleaved.pending, interleaved.sent["TransactWriteItems"]) == (409, 0, 0)


async def test_creation_ends_when_the_tenants_plan_changes_each_time(
    key_store: KeyStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The key copies the plan, so that its creation requires the plan that was read."""
    plans = itertools.cycle([Plan.STARTER, Plan.PRO])
    record = (await key_store.key()).record
    reads: list[Plan] = []

    async def outdated(database: Database, tenant_id: str, *, consistent: bool = False) -> Tenant:
        tenant = await get_tenant(database, tenant_id, consistent=consistent)
        reads.append(next(plan for plan in plans if plan is not tenant.plan))
        return replace(tenant, plan=reads[-1])

    monkeypatch.setattr(management, "get_tenant", outdated)
    with pytest.raises(ApiError) as refused:
        await key_store.manager.create(record.tenant, name="late", mode=Mode.LIVE, policy=KeyPolicy(), now=NOVEMBER)

    assert (refused.value.status, refused.value.code) == (409, "conflict")
    assert len(reads) > 1
