"""Changes of a key: what its next call meets, for all secrets at once, and what calls meanwhile have charged."""

from functools import partial
from typing import Any

import pytest

from callmissed.clock import MINUTE, SECOND, Micros
from callmissed.errors import ApiError
from callmissed.keys.changes import MAX_CHANGED_DOMAINS
from callmissed.keys.management import NewKey
from callmissed.keys.policy import NEVER
from callmissed.keys.records import key_item_of
from callmissed.money import NOTHING, MicroCredits
from tests.support.keys.changes import changed, left, rotated, with_state
from tests.support.keys.key_store import NEW, NOVEMBER, OLD, KeyStore

DAY = 24 * 60 * MINUTE
DECEMBER = NOVEMBER + 15 * DAY
TRIES = 10


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("permissions", frozenset({"llm"})),
        ("scopes", frozenset({"bots:read"})),
        ("scopes", frozenset[str]()),
        ("domains", frozenset({"new.example.com"})),
        ("models", frozenset({"sandbox"})),
        ("search_providers", frozenset({"exa"})),
        ("logs_enabled", True),
        ("prompt_logging_enabled", True),
    ],
)
async def test_change_reaches_every_secret_and_the_record(key_store: KeyStore, field: str, value: Any) -> None:
    key = await key_store.key(scopes=frozenset({"bots:write"}))
    newest = await rotated(key_store, key, 60)

    record = await changed(key_store, key, **{field: value})

    for secret in (key.secret, newest.secret):
        item = (await key_store.call(secret)).key
        assert getattr(item, field) == value
    stored = await key_store.manager.get(record.tenant, record.key_id)
    assert stored == record
    assert type(value)(getattr(stored, field)) == value
    await changed(key_store, key, **{field: getattr(key_item_of(await key_store.hot(key.secret)), field)})
    assert (await key_store.manager.get(record.tenant, record.key_id)) == record


async def test_change_leaves_everything_that_it_does_not_name(key_store: KeyStore) -> None:
    policy: dict[str, Any] = {
        "permissions": frozenset({"llm", "stt"}),
        "scopes": frozenset({"bots:read"}),
        "domains": frozenset({"stays.example.com"}),
        "models": frozenset({"sandbox"}),
        "search_providers": frozenset({"exa"}),
        "rpm": 7,
        "budget": 5_000_000,
        "expires": NOVEMBER + DAY + 1,
        "logs_enabled": True,
        "prompt_logging_enabled": True,
    }
    key = await key_store.key(**policy)
    before = await key_store.hot(key.secret)

    record = await key_store.manager.change(key.record.tenant, key.record.key_id, now=NOVEMBER, name="renamed")

    assert record.name == "renamed"
    assert await key_store.hot(key.secret) == before
    assert await key_store.origin("stays.example.com") == {key.record.key_id}


async def test_paused_key_is_refused_until_it_is_resumed(key_store: KeyStore) -> None:
    key = await key_store.key()
    newest = await rotated(key_store, key, 60)

    paused = await with_state(key_store, key, is_active=False)
    refusals = [await key_store.refusal(secret) for secret in (key.secret, newest.secret)]
    resumed = await with_state(key_store, key, is_active=True)

    assert (paused.status, resumed.status) == ("paused", "active")
    assert refusals == ["invalid_api_key"] * 2
    assert [await key_store.refusal(secret) for secret in (key.secret, newest.secret)] == ["admitted"] * 2


async def test_secret_of_a_paused_key_is_rotated_and_stays_paused(key_store: KeyStore) -> None:
    key = await key_store.key()
    await with_state(key_store, key, is_active=False)

    newest = await rotated(key_store, key, 0)

    assert await key_store.refusal(newest.secret) == "invalid_api_key"
    await with_state(key_store, key, is_active=True)
    assert await key_store.refusal(newest.secret) == "admitted"


async def test_revoked_key_is_not_changed_or_resumed(key_store: KeyStore) -> None:
    key = await key_store.key()
    await key_store.manager.revoke(key.record.tenant, key.record.key_id)

    with pytest.raises(ApiError) as refused:
        await with_state(key_store, key, is_active=True)

    assert (refused.value.status, refused.value.code) == (409, "conflict")
    assert await key_store.refusal(key.secret) == "invalid_api_key"


async def test_raised_rate_counts_from_the_next_call_also_where_the_key_was_limited(key_store: KeyStore) -> None:
    key, process = await key_store.key(rpm=1), key_store.ring(OLD)
    await process.admit(key.secret, NOTHING, NOVEMBER)
    for _ in range(2):
        with pytest.raises(ApiError) as refused:
            await process.admit(key.secret, NOTHING, NOVEMBER)
        assert refused.value.code == "rate_limit_exceeded"

    await changed(key_store, key, rpm=600)

    admitted = await process.admit(key.secret, NOTHING, NOVEMBER)
    assert (admitted.rate.rpm, admitted.rate.remaining) == (600, 98)


async def test_lowered_rate_counts_from_the_next_call(key_store: KeyStore) -> None:
    key = await key_store.key(rpm=600)
    for _ in range(10):
        await key_store.call(key.secret)

    await changed(key_store, key, now=NOVEMBER + 11 * SECOND, rpm=6)

    assert await key_store.refusal(key.secret, now=NOVEMBER + 11 * SECOND) == "admitted"
    assert await key_store.refusal(key.secret, now=NOVEMBER + 11 * SECOND) == "rate_limit_exceeded"


async def test_rate_of_none_is_the_plans(key_store: KeyStore) -> None:
    key = await key_store.key(rpm=7)

    record = await changed(key_store, key, rpm=None)

    assert (record.rpm, record.rpm_from_plan) == (3_000, True)
    assert (await key_store.call(key.secret)).rate.rpm == 3_000


async def test_limited_key_that_was_paused_or_revoked_says_so(key_store: KeyStore) -> None:
    key, process = await key_store.key(rpm=1), key_store.ring(OLD)
    assert [await outcome(process, key) for _ in range(2)] == ["admitted", "rate_limit_exceeded"]

    await with_state(key_store, key, is_active=False)

    assert await outcome(process, key) == "invalid_api_key"


async def outcome(process: Any, key: NewKey) -> str:
    try:
        await process.admit(key.secret, 0, NOVEMBER)
    except ApiError as refused:
        return refused.code
    return "admitted"


async def test_call_meanwhile_keeps_its_charge(key_store: KeyStore) -> None:
    key, interleaved = await key_store.key(budget=100, rpm=6), key_store.interleaved()
    interleaved.before("TransactWriteItems", partial(key_store.call, key.secret, 30))

    await key_store.managed_by(interleaved).change(
        key.record.tenant, key.record.key_id, now=NOVEMBER, policy={"budget": MicroCredits(80), "rpm": 12}
    )

    assert (await left(key_store, key), interleaved.pending) == ([50], 0)
    assert interleaved.sent["TransactWriteItems"] == 1
    assert await key_store.refusal(key.secret, 0, NOVEMBER + 5 * SECOND) == "admitted"


async def test_change_that_a_call_of_an_overlap_leaves_no_room_for_is_planned_again(key_store: KeyStore) -> None:
    key, interleaved = await key_store.key(budget=100), key_store.interleaved()
    newest = await rotated(key_store, key, 60)
    interleaved.before("TransactWriteItems", partial(key_store.call, key.secret, 50))

    await key_store.managed_by(interleaved).change(
        key.record.tenant, key.record.key_id, now=NOVEMBER, policy={"budget": MicroCredits(60)}
    )

    assert (await left(key_store, key, newest), interleaved.pending) == ([0, 10], 0)
    assert interleaved.sent["TransactWriteItems"] == 2


async def test_changes_that_meet_are_both_made(key_store: KeyStore) -> None:
    key, interleaved = await key_store.key(), key_store.interleaved()
    interleaved.before("TransactWriteItems", partial(changed, key_store, key, rpm=9))

    record = await key_store.managed_by(interleaved).change(
        key.record.tenant, key.record.key_id, now=NOVEMBER, name="other"
    )

    assert (record.name, record.rpm, record.revision) == ("other", 9, 2)


async def test_secret_that_is_made_meanwhile_is_changed_too(key_store: KeyStore) -> None:
    key, interleaved = await key_store.key(), key_store.interleaved()
    made: list[NewKey] = []

    async def rotate() -> None:
        made.append(await rotated(key_store, key, 60))

    interleaved.before("TransactWriteItems", rotate)

    await key_store.managed_by(interleaved).change(
        key.record.tenant, key.record.key_id, now=NOVEMBER, policy={"rpm": 9}
    )

    for secret in (key.secret, made[0].secret):
        assert (await key_store.call(secret)).rate.rpm == 9


async def test_secret_that_moves_between_the_reads_is_read_again(key_store: KeyStore) -> None:
    key, interleaved = await key_store.key(), key_store.interleaved()
    interleaved.before("BatchGetItem", partial(key_store.call, key.secret, 0, NOVEMBER, NEW, OLD))

    record = await key_store.managed_by(interleaved).change(
        key.record.tenant, key.record.key_id, now=NOVEMBER, policy={"rpm": 90}
    )

    assert (record.rpm, interleaved.pending) == (90, 0)
    assert (await key_store.call(key.secret, 0, NOVEMBER, NEW)).rate.rpm == 90


async def test_key_that_keeps_changing_is_a_conflict(key_store: KeyStore) -> None:
    key, interleaved = await key_store.key(), key_store.interleaved()
    renames = [
        partial(key_store.manager.change, key.record.tenant, key.record.key_id, now=NOVEMBER, name=f"{n}")
        for n in range(TRIES)
    ]
    interleaved.before("TransactWriteItems", *renames)

    with pytest.raises(ApiError) as refused:
        await key_store.managed_by(interleaved).change(
            key.record.tenant, key.record.key_id, now=NOVEMBER, policy={"rpm": 9}
        )

    assert (refused.value.status, interleaved.pending) == (409, 0)


async def test_change_to_what_is_there_writes_nothing(key_store: KeyStore) -> None:
    key, interleaved = await key_store.key(rpm=9), key_store.interleaved()

    record = await key_store.managed_by(interleaved).change(
        key.record.tenant, key.record.key_id, now=NOVEMBER, name=key.record.name, policy={"rpm": 9}, is_active=True
    )

    assert (record, interleaved.sent["TransactWriteItems"]) == (key.record, 0)


async def test_expiry_is_moved_for_all_secrets_and_revives_an_expired_key(key_store: KeyStore) -> None:
    key = await key_store.key()
    newest = await rotated(key_store, key, 60)

    await changed(key_store, key, expires=NOVEMBER + MINUTE)
    ended = [await key_store.refusal(secret, now=NOVEMBER + MINUTE) for secret in (key.secret, newest.secret)]
    with pytest.raises(ApiError) as refused:
        await changed(key_store, key, now=NOVEMBER + 2 * MINUTE, expires=NOVEMBER + MINUTE)
    record = await changed(key_store, key, now=NOVEMBER + 2 * MINUTE, expires=NEVER)

    assert ended == ["invalid_api_key"] * 2
    assert (refused.value.status, refused.value.param) == (400, "expires_at")
    assert record.expires_at is None
    assert await key_store.refusal(key.secret, now=NOVEMBER + 3 * MINUTE) == "invalid_api_key"
    assert await key_store.refusal(newest.secret, now=NOVEMBER + 3 * MINUTE) == "admitted"


async def test_name_of_an_expired_key_may_change(key_store: KeyStore) -> None:
    key = await key_store.key(expires=NOVEMBER + MINUTE)

    record = await key_store.manager.change(
        key.record.tenant, key.record.key_id, now=Micros(NOVEMBER + DAY), name="over"
    )

    assert (record.name, record.expires_at) == ("over", key.record.expires_at)


async def test_index_of_domain_locks_follows_the_change(key_store: KeyStore) -> None:
    old, kept, new = (f"{name}.follows.example.com" for name in ("old", "kept", "new"))
    key = await key_store.key(domains=frozenset({old, kept}))

    await changed(key_store, key, domains=frozenset({kept, new}))

    own = {key.record.key_id}
    assert [await key_store.origin(pattern) for pattern in (old, kept, new)] == [frozenset(), own, own]
    await changed(key_store, key, domains=frozenset({"*"}))
    assert [await key_store.origin(pattern) for pattern in (kept, new)] == [frozenset()] * 2


async def test_more_domains_than_a_transaction_has_room_for_are_refused(key_store: KeyStore) -> None:
    key = await key_store.key(domains=frozenset(f"{n}.from.example.com" for n in range(46)))
    newest = key
    for _ in range(5):
        newest = await rotated(key_store, newest, 60)

    await changed(key_store, key, domains=frozenset(f"{n}.to.example.com" for n in range(MAX_CHANGED_DOMAINS - 46)))
    with pytest.raises(ApiError) as refused:
        await changed(key_store, key, domains=frozenset(f"{n}.too.example.com" for n in range(50)))

    assert (refused.value.status, refused.value.param) == (400, "allowed_domains")
