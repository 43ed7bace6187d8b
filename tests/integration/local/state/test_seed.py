"""Seeding: a tenant with credits and keys, and keys renewed when they no longer work."""

from collections.abc import AsyncIterator

import pytest

from callmissed.aws.attributes import from_item
from callmissed.aws.database import Database
from callmissed.aws.dynamodb import DynamoDB
from callmissed.clock import MINUTE, Micros, system_clock
from callmissed.integrations.credentials import WhatsAppCredentials
from callmissed.integrations.repository import Integrations
from callmissed.keys.management import KeyManager
from callmissed.keys.policy import KeyPolicy
from callmissed.money import CREDIT
from callmissed.plans.plans import Plan
from callmissed.platform.tables import KEYS, WALLETS, physical_name
from callmissed.sealing import Sealer
from local.aws.tables import StageTables, dynamodb_client
from local.state.seed import SeededTenant, Seeder

PEPPER = bytes(32)


@pytest.fixture
async def dynamodb(tables: StageTables) -> AsyncIterator[DynamoDB]:
    client = DynamoDB("us-east-1", tables.endpoint)
    yield client
    await client.close()


@pytest.fixture
def seeder(dynamodb: DynamoDB, tables: StageTables) -> Seeder:
    return Seeder(Database(dynamodb, tables.stage), PEPPER)


async def test_an_account_has_its_credits_and_a_key_of_each_mode(seeder: Seeder, tables: StageTables) -> None:
    account = await seeder.create_tenant(plan=Plan.STARTER, credits=7, policy=KeyPolicy(rpm=11))
    client = dynamodb_client(tables.endpoint)
    wallet = client.get_item(TableName=physical_name(tables.stage, WALLETS), Key={"id": {"S": account.tenant}})
    keys = client.scan(TableName=physical_name(tables.stage, KEYS))["Items"]
    assert from_item(wallet.get("Item", {}))["av"] == 7 * CREDIT
    assert sorted((key["mode"], key["plan"], key["rpm"]) for key in map(from_item, keys)) == [
        ("live", "starter", 11),
        ("test", "starter", 11),
    ]
    assert account.live_key.startswith("cm_live_")
    assert account.test_key.startswith("cm_test_")


async def test_an_account_that_works_stays_as_it_is(seeder: Seeder) -> None:
    account = await seeder.create_tenant()
    assert await seeder.renew_keys(account) == account


async def test_a_revoked_key_is_renewed_and_the_other_stays(
    seeder: Seeder, dynamodb: DynamoDB, tables: StageTables
) -> None:
    account = await seeder.create_tenant()
    manager = KeyManager(Database(dynamodb, tables.stage), PEPPER)
    live = next(key for key in await manager.keys_of(account.tenant) if key.mode == "live")
    await manager.revoke(account.tenant, live.key_id)
    renewed = await seeder.renew_keys(account)
    assert renewed is not None
    assert (renewed.tenant, renewed.test_key) == (account.tenant, account.test_key)
    assert renewed.live_key != account.live_key
    assert await seeder.renew_keys(renewed) == renewed


async def test_an_expired_key_is_renewed(seeder: Seeder, dynamodb: DynamoDB, tables: StageTables) -> None:
    expiry = Micros(system_clock() + MINUTE)
    account = await seeder.create_tenant(policy=KeyPolicy(expires=expiry))
    renewed = await Seeder(Database(dynamodb, tables.stage), PEPPER, clock=lambda: expiry).renew_keys(account)
    assert renewed is not None
    assert {renewed.live_key, renewed.test_key}.isdisjoint({account.live_key, account.test_key})


async def test_keys_have_every_scope_and_older_ones_without_any_are_renewed(
    seeder: Seeder, tables: StageTables
) -> None:
    account = await seeder.create_tenant(policy=KeyPolicy(rpm=11))
    renewed = await seeder.renew_keys(account)
    keys = dynamodb_client(tables.endpoint).scan(TableName=physical_name(tables.stage, KEYS))["Items"]
    assert renewed is not None
    assert {renewed.live_key, renewed.test_key}.isdisjoint({account.live_key, account.test_key})
    assert sorted(str(from_item(key).get("scp")) for key in keys) == ["None"] * 2 + [str(frozenset("*"))] * 2


async def test_an_account_of_other_tables_is_unknown(seeder: Seeder) -> None:
    account = await seeder.create_tenant()
    assert await seeder.renew_keys(SeededTenant("tnt_gone", account.live_key, account.test_key)) is None


async def test_credentials_are_connected_once_and_to_one_tenant(
    seeder: Seeder, dynamodb: DynamoDB, tables: StageTables
) -> None:
    sealer, integrations = Sealer((bytes(32),)), Integrations(Database(dynamodb, tables.stage))
    first, second = await seeder.create_tenant(), await seeder.create_tenant()
    number = WhatsAppCredentials(phone_number_id="1", access_token="a", verify_token="v")
    await seeder.connect(first, number, sealer)
    await seeder.connect(second, number, sealer)
    await seeder.connect(first, number.model_copy(update={"phone_number_id": "2"}), sealer)
    saved = await integrations.get(first.tenant, "whatsapp")
    assert saved is not None
    assert (saved.fields["phone_number_id"], saved.revision) == ("1", 1)
    assert await integrations.get(second.tenant, "whatsapp") is None
