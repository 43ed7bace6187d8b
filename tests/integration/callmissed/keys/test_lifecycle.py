"""Creating, listing and revoking keys, and what is kept of them."""

import json
from dataclasses import replace
from typing import Any

import pytest

from callmissed.aws.database import Database
from callmissed.aws.dynamodb import Unavailable
from callmissed.clock import MINUTE
from callmissed.errors import ApiError
from callmissed.keys.domains import has_lock, patterns_for
from callmissed.keys.policy import KeyPolicy
from callmissed.keys.secret import Mode, is_well_formed, key_hash
from callmissed.money import MicroCredits
from callmissed.plans.plans import Plan
from callmissed.platform.tables import DOMAINS
from tests.support.keys.key_store import NOVEMBER, OLD, KeyStore

UNKNOWN = "key_" + "0" * 24


@pytest.mark.parametrize("mode", list(Mode))
async def test_a_new_key_works_and_says_which_kind_it_is(key_store: KeyStore, mode: Mode) -> None:
    key = await key_store.key(mode=mode)

    assert is_well_formed(key.secret)
    assert key.secret.startswith(f"cm_{mode}_")
    assert (await key_store.call(key.secret)).key.mode == mode


async def test_a_list_shows_what_a_key_may_do_and_not_what_it_is(key_store: KeyStore) -> None:
    tenant = await key_store.tenant()
    policy: dict[str, Any] = {
        "permissions": frozenset({"llm", "stt"}),
        "scopes": frozenset({"bots:read"}),
        "domains": frozenset({"App.Example.com."}),
        "models": frozenset({"sandbox"}),
        "rpm": 7,
        "budget": 5_000_000,
        "expires": NOVEMBER + MINUTE,
    }
    plain, tight = await key_store.key(tenant), await key_store.key(tenant, **policy)

    first, second = await key_store.manager.keys_of(tenant)

    assert {first.key_id, second.key_id} == {plain.record.key_id, tight.record.key_id}
    record = second if second.key_id == tight.record.key_id else first
    shown = {name: getattr(record, name) for name in ("permissions", "scopes", "domains", "models", "rpm", "budget")}
    assert shown == {
        "permissions": ["llm", "stt"],
        "scopes": ["bots:read"],
        "domains": frozenset({"app.example.com"}),
        "models": ["sandbox"],
        "rpm": 7,
        "budget": 5_000_000,
    }
    assert record.expires_at == "2026-11-16T00:01:00.000Z"
    assert record.masked == f"{tight.secret[:12]}…{tight.secret[-4:]}"


async def test_a_key_without_limits_says_so(key_store: KeyStore) -> None:
    record = (await key_store.key()).record

    assert (record.budget, record.expires_at, record.permissions) == (None, None, ["*"])
    assert (record.scopes, record.models, record.domains) == ([], ["*"], frozenset({"*"}))


@pytest.mark.parametrize(("plan", "rpm"), [(Plan.FREE, 60), (Plan.STARTER, 500), (Plan.ENTERPRISE, 10_000)])
async def test_without_a_rate_a_key_has_the_plans(key_store: KeyStore, plan: Plan, rpm: int) -> None:
    tenant = await key_store.tenant(plan)

    key, own = await key_store.key(tenant), await key_store.key(tenant, rpm=9)

    assert (await key_store.call(key.secret)).rate.rpm == key.record.rpm == rpm
    assert (await key_store.call(own.secret)).rate.rpm == own.record.rpm == 9
    assert (key.record.rpm_from_plan, own.record.rpm_from_plan) == (True, False)


async def test_a_revoked_key_is_refused_from_the_next_call_on(key_store: KeyStore) -> None:
    key = await key_store.key()
    process = key_store.ring(OLD)
    await process.admit(key.secret, MicroCredits(0), NOVEMBER)

    revoked = await key_store.manager.revoke(key.record.tenant, key.record.key_id)

    assert not revoked.is_active
    with pytest.raises(ApiError) as refused:
        await process.admit(key.secret, MicroCredits(0), NOVEMBER)
    assert (refused.value.status, refused.value.code) == (401, "invalid_api_key")
    (listed,) = await key_store.manager.keys_of(key.record.tenant)
    assert not listed.is_active


async def test_revoking_twice_is_the_same_as_once(key_store: KeyStore) -> None:
    key = await key_store.key()
    tenant, key_id = key.record.tenant, key.record.key_id
    await key_store.manager.revoke(tenant, key_id)
    before = await key_store.hot(key.secret)

    again = await key_store.manager.revoke(tenant, key_id)

    assert not again.is_active
    assert await key_store.hot(key.secret) == before


async def test_an_expired_key_is_refused(key_store: KeyStore) -> None:
    key = await key_store.key(expires=NOVEMBER + MINUTE)

    assert await key_store.refusal(key.secret, now=NOVEMBER + MINUTE - 1) == "admitted"
    assert await key_store.refusal(key.secret, now=NOVEMBER + MINUTE) == "invalid_api_key"


async def test_another_tenants_key_does_not_exist(key_store: KeyStore) -> None:
    key, stranger = await key_store.key(), await key_store.tenant()
    manager, key_id = key_store.manager, key.record.key_id

    for attempt in (
        manager.get(stranger, key_id),
        manager.revoke(stranger, key_id),
        manager.rotate(stranger, key_id, overlap_minutes=0, now=NOVEMBER),
        manager.get(key.record.tenant, UNKNOWN),
    ):
        with pytest.raises(ApiError) as refused:
            await attempt
        assert (refused.value.status, refused.value.message) == (404, "No such key.")
    assert await manager.keys_of(stranger) == []
    assert await key_store.refusal(key.secret) == "admitted"


async def test_a_tenant_that_does_not_exist_gets_no_key(key_store: KeyStore) -> None:
    with pytest.raises(ApiError) as refused:
        await key_store.key("tnt_" + "0" * 24)

    assert refused.value.status == 404


async def test_domain_locks_are_in_the_index_as_long_as_a_key_has_them(key_store: KeyStore) -> None:
    shared, own = "*.index.example.com", "own.index.example.com"
    first = await key_store.key(domains=frozenset({shared, own}))
    second = await key_store.key(domains=frozenset({shared}))
    assert await key_store.origin(shared) == {first.record.key_id, second.record.key_id}

    await key_store.manager.rotate(first.record.tenant, first.record.key_id, overlap_minutes=5, now=NOVEMBER)
    assert await key_store.origin(own) == {first.record.key_id}
    await key_store.manager.revoke(first.record.tenant, first.record.key_id)
    await key_store.manager.revoke(first.record.tenant, first.record.key_id)

    assert await key_store.origin(own) == frozenset()
    assert await key_store.origin(shared) == {second.record.key_id}


async def test_preflight_reads_one_lock_of_a_pattern_however_many_keys_have_it(key_store: KeyStore) -> None:
    host, interleaved = "crowded.example.com", key_store.interleaved()
    keys = [await key_store.key(domains=frozenset({host})) for _ in range(3)]
    database = Database(interleaved, key_store.store.stage)

    assert await has_lock(database, patterns_for(f"https://{host}"))
    assert not await has_lock(database, patterns_for(f"http://{host}"))
    for key in keys:
        await key_store.manager.revoke(key.record.tenant, key.record.key_id)
    assert not await has_lock(database, patterns_for(f"https://{host}"))

    assert interleaved.sent == {"Query": 9}  # three patterns allow the host, each time
    stored = [item async for item in Database(key_store.dynamodb, key_store.store.stage).query(DOMAINS, host)]
    assert stored == []


async def test_tenants_have_locks_of_their_own_on_one_pattern(key_store: KeyStore) -> None:
    host = "same.example.com"
    keys = [await key_store.key(domains=frozenset({host})) for _ in range(2)]

    database = Database(key_store.dynamodb, key_store.store.stage)
    locks = {lock["key"] async for lock in database.query(DOMAINS, host, consistent=True)}

    assert locks == {f"{key.record.tenant}#{key.record.key_id}" for key in keys}


async def test_a_key_for_every_origin_is_not_in_the_index(key_store: KeyStore) -> None:
    await key_store.key()

    assert await key_store.origin("*") == frozenset()


@pytest.mark.parametrize(
    ("wrong", "param"),
    [
        ({"permissions": frozenset({"llm", "video"})}, "permissions"),
        ({"permissions": frozenset[str]()}, "permissions"),
        ({"scopes": frozenset({"bots:fly"})}, "scopes"),
        ({"rpm": 0}, "rate_limit_rpm"),
        ({"rpm": 60_001}, "rate_limit_rpm"),
        ({"budget": -1}, "budget_limit"),
        ({"budget": 10**18}, "budget_limit"),
        ({"expires": NOVEMBER}, "expires_at"),
        ({"domains": frozenset({"https://example.com/page"})}, "allowed_domains"),
        ({"domains": frozenset({"*", "example.com"})}, "allowed_domains"),
        ({"domains": frozenset[str]()}, "allowed_domains"),
        ({"domains": frozenset(f"{n}.example.com" for n in range(51))}, "allowed_domains"),
        ({"models": frozenset({""})}, "allowed_models"),
        ({"models": frozenset({"\ud800"})}, "allowed_models"),
    ],
)
async def test_what_no_key_may_have_is_refused_by_name(key_store: KeyStore, wrong: dict[str, Any], param: str) -> None:
    tenant = await key_store.tenant()

    with pytest.raises(ApiError) as refused:
        await key_store.key(tenant, **wrong)

    assert (refused.value.status, refused.value.param) == (400, param)
    assert await key_store.manager.keys_of(tenant) == []


@pytest.mark.parametrize("name", ["", "   ", "n" * 256, "two\nlines", "\ud800"])
async def test_a_name_is_short_and_of_one_line(key_store: KeyStore, name: str) -> None:
    tenant = await key_store.tenant()

    with pytest.raises(ApiError) as refused:
        await key_store.manager.create(tenant, name=name, mode=Mode.LIVE, policy=KeyPolicy(), now=NOVEMBER)

    assert (refused.value.status, refused.value.param) == (400, "name")


async def test_the_most_that_a_key_may_have_fits(key_store: KeyStore) -> None:
    domains = frozenset(f"{n}.most.example.com" for n in range(50))

    key = await key_store.key(rpm=60_000, budget=0, domains=domains)

    assert await key_store.refusal(key.secret, 1) == "budget_exceeded"
    await key_store.manager.revoke(key.record.tenant, key.record.key_id)
    assert await key_store.origin("49.most.example.com") == frozenset()


async def test_no_table_holds_a_secret_or_what_it_could_be_found_by(fresh_key_store: KeyStore) -> None:
    tenant = await fresh_key_store.tenant()
    key = await fresh_key_store.key(tenant, domains=frozenset({"scan.example.com"}), budget=10)
    rotated = await fresh_key_store.manager.rotate(tenant, key.record.key_id, overlap_minutes=60, now=NOVEMBER)
    await fresh_key_store.call(key.secret)
    await fresh_key_store.call(rotated.secret)

    text = json.dumps(await fresh_key_store.everything())

    for secret in (key.secret, rotated.secret):
        assert key_hash(OLD, secret) in text
        for start in range(len("cm_live_") + 4, len(secret) - 4 - 8):
            assert secret[start : start + 8] not in text
        for guess in (b"", b"\0", b"callmissed"):
            assert key_hash(guess, secret) not in text
    assert OLD.hex() not in text


async def test_a_lost_answer_to_a_creation_makes_one_key_all_the_same(key_store: KeyStore) -> None:
    tenant, interleaved = await key_store.tenant(), key_store.interleaved()
    send, losses = interleaved.send, [True]

    async def send_and_lose(operation: str, payload: bytes) -> dict[str, Any]:
        answer = await send(operation, payload)
        if operation == "TransactWriteItems" and losses.pop():
            losses.append(False)
            raise Unavailable("lost", indeterminate=True)
        return answer

    interleaved.send = send_and_lose  # type: ignore[method-assign]

    key = await key_store.managed_by(interleaved).create(
        tenant, name="tests", mode=Mode.LIVE, policy=replace(KeyPolicy(), rpm=5), now=NOVEMBER
    )

    assert await key_store.refusal(key.secret) == "admitted"
    assert len(await key_store.manager.keys_of(tenant)) == 1
