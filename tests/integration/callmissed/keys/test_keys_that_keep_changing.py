"""A key that others change before each try: bounded tries, then a clear refusal, and nothing half done."""

from functools import partial
from typing import Any

import pytest

from callmissed.aws.attributes import to_item
from callmissed.aws.database import Database
from callmissed.clock import SECOND, Micros
from callmissed.errors import ApiError
from callmissed.keys.admission import Admission
from callmissed.keys.management import NewKey
from callmissed.keys.secret import key_hash
from callmissed.money import NOTHING, MicroCredits
from callmissed.platform.tables import KEYS, physical_name
from tests.integration.callmissed.keys.conftest import NEW, NOVEMBER, OLD, Vault

TRIES = 10


async def write(vault: Vault, key: NewKey, **attributes: Any) -> None:
    """Set attributes of the key's hot item, as another process would."""
    request = {
        "TableName": physical_name(vault.store.stage, KEYS),
        "Key": to_item({"id": key_hash(OLD, key.secret)}),
        "UpdateExpression": "SET " + ", ".join(f"#{name} = :{name}" for name in attributes),
        "ExpressionAttributeNames": {f"#{name}": name for name in attributes},
        "ExpressionAttributeValues": to_item({f":{name}": value for name, value in attributes.items()}),
    }
    await vault.dynamodb.call("UpdateItem", request)


async def rotate(vault: Vault, key: NewKey) -> NewKey:
    return await vault.manager.rotate(key.record.tenant, key.record.key_id, overlap_minutes=0, now=NOVEMBER)


async def test_admission_ends_when_the_branch_is_wrong_each_time(vault: Vault) -> None:
    key, interleaved = await vault.key(), vault.interleaved()
    ahead = partial(write, vault, key, tat=NOVEMBER + SECOND, u=NOVEMBER)
    behind = partial(write, vault, key, tat=0, u=0)
    interleaved.before("UpdateItem", ahead, behind, ahead, behind)

    with pytest.raises(ApiError) as refused:
        await vault.ring(OLD, dynamodb=interleaved).admit(key.secret, NOTHING, NOVEMBER)

    assert (refused.value.status, interleaved.pending, interleaved.sent["UpdateItem"]) == (503, 0, 4)


async def test_authentication_ends_when_the_key_works_only_between_its_writes(vault: Vault) -> None:
    key, interleaved = await vault.key(), vault.interleaved()
    item = to_item({"id": key_hash(OLD, key.secret)})
    own = {"matching": lambda request: request["Key"] == item}
    interleaved.before("UpdateItem", *[partial(write, vault, key, st="revoked")] * 4, **own)
    interleaved.before("GetItem", *[partial(write, vault, key, st="active")] * 4, **own)

    with pytest.raises(ApiError) as refused:
        await vault.ring(OLD, NEW, dynamodb=interleaved).admit(key.secret, NOTHING, NOVEMBER)

    assert (refused.value.status, interleaved.pending) == (503, 0)
    assert (await vault.hot(key.secret))["tat"] == 0


async def test_refund_of_a_key_that_is_gone_writes_nothing(vault: Vault) -> None:
    key = await vault.key(budget=100)
    admitted = await vault.call(key.secret, 30)
    new = await rotate(vault, key)

    await Admission(Database(vault.dynamodb, vault.store.stage)).give_back(admitted, MicroCredits(30))

    assert await vault.hot(key.secret) == {}
    assert (await vault.hot(new.secret))["kb"] == 70


async def test_revocation_of_a_key_that_rotates_each_time_is_a_conflict(vault: Vault) -> None:
    key, interleaved = await vault.key(), vault.interleaved()
    interleaved.before("TransactWriteItems", *[partial(rotate, vault, key)] * TRIES)

    with pytest.raises(ApiError) as refused:
        await vault.managed_by(interleaved).revoke(key.record.tenant, key.record.key_id)

    assert (refused.value.status, interleaved.pending) == (409, 0)
    assert (await vault.manager.get(key.record.tenant, key.record.key_id)).is_active


async def test_rotation_of_a_key_that_is_called_each_time_is_a_conflict(vault: Vault) -> None:
    key, interleaved = await vault.key(budget=100), vault.interleaved()
    interleaved.before("TransactWriteItems", *[partial(vault.call, key.secret, 1)] * TRIES)

    with pytest.raises(ApiError) as refused:
        await vault.managed_by(interleaved).rotate(
            key.record.tenant, key.record.key_id, overlap_minutes=0, now=NOVEMBER
        )

    assert (refused.value.status, interleaved.pending) == (409, 0)
    assert (await vault.hot(key.secret))["kb"] == 90


async def test_rotation_that_reads_the_items_of_an_earlier_record_is_a_conflict(vault: Vault) -> None:
    key, interleaved = await vault.key(), vault.interleaved()
    keys = physical_name(vault.store.stage, KEYS)
    interleaved.before("GetItem", partial(rotate, vault, key), matching=lambda request: request["TableName"] == keys)

    with pytest.raises(ApiError) as refused:
        await vault.managed_by(interleaved).rotate(
            key.record.tenant, key.record.key_id, overlap_minutes=0, now=Micros(NOVEMBER)
        )

    assert (refused.value.status, interleaved.pending, interleaved.sent["TransactWriteItems"]) == (409, 0, 0)
