"""A tenant that is stopped: by whom, what stops with it, what comes back, and what a crash in the middle leaves."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace

import pytest
import pytest_asyncio

from callmissed.audit.events import Actor, ActorKind
from callmissed.aws.database import Database
from callmissed.errors import ApiError
from callmissed.ids import new_call_id
from callmissed.keys.management import KeyManager
from callmissed.keys.policy import KeyPolicy
from callmissed.keys.records import read_key_item
from callmissed.keys.secret import Mode, key_hash
from callmissed.ledger.grants import grant
from callmissed.ledger.holds import Ledger
from callmissed.ledger.queries import balance
from callmissed.ledger.shards import read_wallets
from callmissed.money import CREDIT, MicroCredits
from callmissed.plans.plans import Plan
from callmissed.platform.routes import Role
from callmissed.platform.tables import WEBHOOKS
from callmissed.tenants.status import TenantStatus, stops_deliveries, webhooks_key
from callmissed.tenants.tenants import get_tenant
from functions.auth.tenant.key_status import apply_status
from functions.auth.tenant.suspension import Suspensions
from local.aws.tables import StageTables
from tests.support.faults import Crash, Fault, FaultyDynamoDB
from tests.support.inference.gateway import PEPPER
from tests.support.people import BROWSER, SignedIn, new_member, new_tenant, set_status
from tests.support.whole_product import Reply, Sent, WholeProduct

OPERATOR = Actor(ActorKind.OPERATOR, "arn:aws:iam::1:user/ada")
ALL = KeyPolicy(scopes=frozenset({"*"}))
ME = "/api/v1/tenants/me"
CHAT = json.dumps({"model": "sandbox", "messages": [{"role": "user", "content": "Hello!"}]}).encode()
Change = Callable[[SignedIn], Awaitable[object]]


async def suspend(owner: SignedIn) -> object:
    return await owner.product.people.suspensions.suspend(owner.tenant, OPERATOR, owner.product.clock())


async def restore(owner: SignedIn) -> object:
    return await owner.product.people.suspensions.restore(owner.tenant, OPERATOR, owner.product.clock())


async def deactivate(owner: SignedIn) -> object:
    reply = await owner.call("POST", f"{ME}/deactivate")
    assert (reply.status, json.loads(reply.body)["status"]) == (200, "deactivated")
    return reply


async def reactivate(owner: SignedIn) -> object:
    reply = await owner.call("POST", f"{ME}/reactivate")
    assert (reply.status, json.loads(reply.body)["status"]) == (200, "active")
    return reply


async def key(owner: SignedIn, mode: Mode = Mode.LIVE) -> str:
    return (
        await manager(owner).create(owner.tenant, name="t", mode=mode, policy=ALL, now=owner.product.clock())
    ).secret


def manager(owner: SignedIn, database: Database | None = None) -> KeyManager:
    return KeyManager(database or owner.product.database, PEPPER)


async def with_key(product: WholeProduct, secret: str, method: str, path: str, body: bytes = b"") -> Reply:
    headers = (("Authorization", f"Bearer {secret}"), ("Content-Type", "application/json"))
    return await product.through_local_gateway(Sent(method, path, headers, body))


def outcome(reply: Reply) -> str:
    return reply.error["code"] if reply.status >= 400 else str(reply.status)


async def outcomes(owner: SignedIn, member: SignedIn, *secrets: str) -> dict[str, str]:
    """What happens to everything that a tenant can do, but for its owner."""
    product = owner.product
    found = {"member": outcome(await member.call("GET", "/api/v1/auth/me"))}
    for number, secret in enumerate(secrets):
        found[f"chat {number}"] = outcome(await with_key(product, secret, "POST", "/v1/chat/completions", CHAT))
        found[f"models {number}"] = outcome(await with_key(product, secret, "GET", "/v1/models"))
        found[f"platform {number}"] = outcome(await with_key(product, secret, "GET", "/api/v1/webhooks"))
    for _ in range(8):  # of a wallet in shards, most are met
        found["hold"] = await held(owner)
        if found["hold"] != "held":
            break
    marked = await product.database.get(WEBHOOKS, webhooks_key(owner.tenant))
    return found | {"webhooks": "stopped" if stops_deliveries(marked) else "deliver"}


async def held(owner: SignedIn) -> str:
    call_id = new_call_id(owner.product.clock(), 20)
    try:
        await Ledger(owner.product.database).hold(
            owner.tenant, call_id, "llm", MicroCredits(1), shards=len(await shards(owner))
        )
    except ApiError as refused:
        return refused.code
    return "held"


async def shards(owner: SignedIn) -> list[str]:
    return [wallet.status for wallet in await read_wallets(owner.product.database, owner.tenant, 8)]


def everything(platform: str, *, member: str, chat: str, hold: str, webhooks: str) -> dict[str, str]:
    keys = {f"{what} {number}": code for number in (0, 1) for what, code in (("chat", chat), ("models", chat))}
    return {
        "member": member,
        **keys,
        "platform 0": platform,
        "platform 1": platform,
        "hold": hold,
        "webhooks": webhooks,
    }


WORKS = everything("200", member="200", chat="200", hold="held", webhooks="deliver")
INACTIVE = "account_inactive"
STOPPED = everything(INACTIVE, member=INACTIVE, chat=INACTIVE, hold=INACTIVE, webhooks="stopped")


@pytest.mark.parametrize("plan", [Plan.PRO, Plan.ENTERPRISE])
@pytest.mark.parametrize(("stop", "start"), [(suspend, restore), (deactivate, reactivate)])
async def test_everything_stops_and_comes_back_with_the_next_call(
    product: WholeProduct, stop: Change, start: Change, plan: Plan
) -> None:
    owner = await new_tenant(product, plan=plan)
    member = await new_member(owner, Role.ADMIN)
    await grant(
        product.database, tenant=owner.tenant, amount=MicroCredits(CREDIT), operation_id="first", now=product.clock()
    )
    secrets = [await key(owner), await key(owner, Mode.TEST)]
    if plan is Plan.ENTERPRISE:
        for _ in range(8):
            await Ledger(product.database).hold(
                owner.tenant, new_call_id(product.clock(), 20), "llm", MicroCredits(1), shards=8
            )
        assert len(await shards(owner)) == 8
    assert await outcomes(owner, member, *secrets) == WORKS

    await stop(owner)
    assert await outcomes(owner, member, *secrets) == STOPPED
    assert len(set(await shards(owner))) == 1

    await start(owner)
    assert await outcomes(owner, member, *secrets) == WORKS
    assert set(await shards(owner)) == {"active"}


async def test_revoked_and_earlier_secrets_stay_as_they_were(product: WholeProduct) -> None:
    owner = await new_tenant(product)
    revoked, rotated = await key(owner), await key(owner)
    records = {record.newest: record.key_id for record in await manager(owner).keys_of(owner.tenant)}
    await manager(owner).revoke(owner.tenant, records[key_hash(PEPPER, revoked)])
    rotating = records[key_hash(PEPPER, rotated)]
    newest = await manager(owner).rotate(owner.tenant, rotating, overlap_minutes=60, now=product.clock())

    await suspend(owner)
    await restore(owner)

    found = [outcome(await with_key(product, each, "GET", "/v1/models")) for each in (revoked, rotated, newest.secret)]
    assert found == ["invalid_api_key", "200", "200"]


async def test_paused_key_stays_paused_and_is_resumed_afterwards(product: WholeProduct) -> None:
    owner = await new_tenant(product)
    secret = await key(owner)
    (record,) = await manager(owner).keys_of(owner.tenant)
    await manager(owner).change(owner.tenant, record.key_id, now=product.clock(), is_active=False)

    await suspend(owner)
    await restore(owner)

    assert outcome(await with_key(product, secret, "GET", "/v1/models")) == "invalid_api_key"
    await manager(owner).change(owner.tenant, record.key_id, now=product.clock(), is_active=True)
    assert outcome(await with_key(product, secret, "GET", "/v1/models")) == "200"


async def test_suspended_tenant_gets_no_secret(product: WholeProduct) -> None:
    owner = await new_tenant(product)
    await key(owner)
    (record,) = await manager(owner).keys_of(owner.tenant)
    await suspend(owner)

    for made in (
        key(owner),
        manager(owner).rotate(owner.tenant, record.key_id, overlap_minutes=0, now=product.clock()),
        manager(owner).change(owner.tenant, record.key_id, now=product.clock(), name="another"),
    ):
        with pytest.raises(ApiError) as refused:
            await made
        assert (refused.value.status, refused.value.code) == (403, "account_inactive")


async def test_secret_that_is_made_at_the_same_moment_does_not_slip_through(
    product: WholeProduct, interleaving: FaultyDynamoDB
) -> None:
    owner = await new_tenant(product)
    await key(owner)
    (record,) = await manager(owner).keys_of(owner.tenant)
    meanwhile = manager(owner, Database(interleaving, product.database.stage))

    for made in (
        lambda: meanwhile.create(owner.tenant, name="t", mode=Mode.LIVE, policy=ALL, now=product.clock()),
        lambda: meanwhile.rotate(owner.tenant, record.key_id, overlap_minutes=0, now=product.clock()),
        lambda: meanwhile.change(owner.tenant, record.key_id, now=product.clock(), name="another"),
    ):
        interleaving.before("TransactWriteItems", lambda: suspend(owner))
        with pytest.raises(ApiError) as refused:
            await made()
        assert refused.value.code == "account_inactive"
        await restore(owner)

    assert len(await manager(owner).keys_of(owner.tenant)) == 1


@pytest_asyncio.fixture
async def interleaving(module_tables: StageTables) -> AsyncIterator[FaultyDynamoDB]:
    """A process whose requests go wrong, or come after another process's."""
    dynamodb = FaultyDynamoDB(module_tables.endpoint)
    yield dynamodb
    await dynamodb.close()


@pytest.mark.parametrize(
    ("dies_at", "fault"),
    [(1, Fault.DIE_AFTER), (2, Fault.DIE_AFTER), (120, Fault.DIE_BEFORE), (201, Fault.DIE_AFTER)],
)
async def test_repeat_completes_what_a_crash_left(
    product: WholeProduct, interleaving: FaultyDynamoDB, dies_at: int, fault: Fault, many: tuple[SignedIn, list[str]]
) -> None:
    owner, secrets = many
    dying = Suspensions(Database(interleaving, product.database.stage))
    for change, again, expected in (
        (dying.suspend, suspend, "suspended"),
        (dying.restore, restore, "active"),
    ):
        interleaving.faults.extend([*[None] * dies_at, fault])
        with pytest.raises(Crash):
            await change(owner.tenant, OPERATOR, product.clock())
        interleaving.forget()

        await again(owner)

        items = [await read_key_item(product.database, key_hash(PEPPER, secret)) for secret in secrets]
        assert {item.status for item in items if item} == {expected}
        assert (await get_tenant(product.database, owner.tenant, consistent=True)).status == expected


@pytest_asyncio.fixture(scope="module")
async def many(product: WholeProduct) -> tuple[SignedIn, list[str]]:
    """A tenant with more keys than a transaction has operations."""
    owner = await new_tenant(product)
    return owner, [await key(owner) for _ in range(101)]


async def test_of_opposite_changes_at_once_the_last_one_wins(
    product: WholeProduct, interleaving: FaultyDynamoDB
) -> None:
    owner = await new_tenant(product)
    secrets = [await key(owner) for _ in range(3)]
    slow = Suspensions(Database(interleaving, product.database.stage))
    sent: list[object] = []

    async def nothing() -> None:
        sent.append(None)

    interleaving.before("TransactWriteItems", nothing, nothing, lambda: restore(owner))
    with pytest.raises(ApiError) as refused:
        await slow.suspend(owner.tenant, OPERATOR, product.clock())

    assert (refused.value.status, len(sent)) == (409, 2)
    for secret in secrets:
        assert outcome(await with_key(product, secret, "GET", "/v1/models")) == "200"


async def test_owner_of_a_deactivated_tenant_reads_and_reactivates(product: WholeProduct) -> None:
    owner = await new_tenant(product)
    await deactivate(owner)
    await deactivate(owner)

    assert (await owner.call("GET", "/api/v1/auth/me")).status == 200
    assert outcome(await owner.call("GET", "/api/v1/users")) == "account_inactive"
    await reactivate(owner)
    await reactivate(owner)

    found = json.loads((await owner.call("GET", "/api/v1/audit/events")).body)
    assert [event["action"] for event in reversed(found)] == ["tenant.deactivate", "tenant.reactivate"]
    assert found[0]["metadata"] == {"before": "deactivated", "after": "active"}


async def test_operators_suspension_only_operators_undo(product: WholeProduct) -> None:
    owner = await new_tenant(product)
    await deactivate(owner)
    await suspend(owner)

    assert outcome(await owner.call("POST", f"{ME}/reactivate")) == "account_inactive"
    assert outcome(await owner.call("POST", f"{ME}/deactivate")) == "account_inactive"
    for change in (product.people.suspensions.reactivate, product.people.suspensions.deactivate):
        with pytest.raises(ApiError) as refused:
            await change(owner.tenant, replace(BROWSER, actor_id=owner.user.user_id), product.clock())
        assert refused.value.code == "account_inactive"

    await restore(owner)
    assert (await owner.call("GET", "/api/v1/users")).status == 200


async def test_former_owner_can_not_stop_the_tenant(product: WholeProduct) -> None:
    owner = await new_tenant(product)

    with pytest.raises(ApiError) as refused:
        await product.people.suspensions.deactivate(owner.tenant, BROWSER, product.clock())

    assert refused.value.code == "permission_denied"


async def test_tenant_in_deletion_is_terminated_for_keys_too(product: WholeProduct) -> None:
    owner = await new_tenant(product)
    secret = await key(owner)
    await set_status(product, owner.tenant, TenantStatus.DELETING)
    assert await apply_status(product.database, owner.tenant, TenantStatus.DELETING) == 1

    assert outcome(await with_key(product, secret, "GET", "/v1/models")) == "account_terminated"
    assert outcome(await with_key(product, secret, "GET", "/api/v1/webhooks")) == "account_terminated"
    for change in (suspend, restore):
        with pytest.raises(ApiError) as refused:
            await change(owner)
        assert refused.value.code == "account_terminated"


async def test_stopping_costs_no_balance(product: WholeProduct) -> None:
    owner = await new_tenant(product)
    before = await balance(product.database, owner.tenant, product.clock())

    await suspend(owner)

    after = await balance(product.database, owner.tenant, product.clock())
    assert after == replace(before, status="suspended")
