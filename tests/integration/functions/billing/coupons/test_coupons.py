"""Coupons on DynamoDB Local: limits under concurrency, dates, refusals that say nothing, repeats and deaths."""

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest

from callmissed.audit.events import Actor, ActorKind
from callmissed.aws.database import Database
from callmissed.aws.dynamodb import Unavailable
from callmissed.clock import MINUTE, Micros, iso
from callmissed.errors import ApiError
from callmissed.ids import new_id
from callmissed.ledger.queries import balance, newest_entries
from callmissed.platform.routes import Role
from callmissed.platform.tables import AUDIT
from functions.billing.coupons.records import Coupon
from functions.billing.coupons.service import Coupons
from functions.billing.payments.repository import Orders
from functions.billing.payments.service import Buyer
from local.aws.tables import StageTables
from tests.support.interleaving import InterleavingDynamoDB
from tests.support.operators import Operator
from tests.support.people import SignedIn, new_member, new_tenant
from tests.support.sign_in import SettableClock
from tests.support.whole_product import Reply, WholeProduct

_ADMIN = "/api/v1/admin/coupons"
DAY = 24 * 60 * MINUTE


@pytest.fixture(autouse=True)
def a_minute_later(clock: SettableClock) -> None:
    """The tries of the test before no longer count."""
    clock.pass_seconds(120)


async def operate(product: WholeProduct, method: str, path: str = "", **body: Any) -> tuple[int, Any]:
    content = {"reason": "a campaign", **body} if method == "POST" else None
    reply = await Operator().call(product, method, f"{_ADMIN}{path}", content)
    return reply.status, json.loads(reply.body)


async def new_coupon(product: WholeProduct, **changes: Any) -> str:
    code = new_id("C")
    wanted = {"code": code, "credits": "12.5", "max_redemptions": 100, **changes}
    status, made = await operate(product, "POST", "", **wanted)
    assert (status, made["code"], made["redeemed"]) == (201, code.upper(), 0), made
    return code


async def redeem(person: SignedIn, code: str, **headers: str) -> Reply:
    return await person.call("POST", "/api/v1/coupons/redeem", {"code": code}, headers)


async def refused(person: SignedIn, code: str) -> tuple[int, str, str]:
    reply = await redeem(person, code)
    return reply.status, reply.error["code"], reply.error["message"]


NOT_REDEEMABLE = (404, "not_found", "This coupon can't be redeemed.")


def buyer_of(person: SignedIn) -> Buyer:
    actor = Actor(ActorKind.PERSON, person.user.user_id)
    return Buyer(person.tenant, person.user.user_id, actor, new_id("cm"))


async def test_coupon_adds_credits_in_any_case_and_appears_in_the_history(owner: SignedIn) -> None:
    product = owner.product
    code = await new_coupon(product)
    reply = await redeem(owner, f" {code.lower()} ")
    assert reply.status == 200, reply.body
    redeemed = json.loads(reply.body)
    assert (redeemed["plan"], redeemed["credits"], redeemed["balance"]) == (f"coupon_{code.upper()}", 12.5, 12.5)

    (order,) = json.loads((await owner.call("GET", "/api/v1/payments/history")).body)
    assert (order["order_id"], order["status"], order["amount"]) == (redeemed["order_id"], "paid", 0.0)
    assert (order["plan_to"], order["payment_method"]) == (f"coupon_{code.upper()}", None)
    (entry,) = await newest_entries(product.database, owner.tenant, limit=10)
    assert (entry.type, entry.debit, entry.amount, entry.reference) == (
        "coupon",
        "promotion",
        12_500_000,
        redeemed["order_id"],
    )
    (event,) = [item async for item in product.database.query(AUDIT, owner.tenant) if item["action"] == "coupon.redeem"]
    assert event["metadata"]["credits"] == "12.5"


async def test_limits_are_exact_under_concurrency(product: WholeProduct) -> None:
    coupons, now = product.billing.coupons, product.clock()
    code = await new_coupon(product, max_redemptions=5, per_tenant_limit=2)
    people = [await new_tenant(product) for _ in range(4)]
    tries = [coupons.redeem(buyer_of(person), code, now) for person in people for _ in range(4)]
    outcomes = await asyncio.gather(*tries, return_exceptions=True)
    failures = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
    assert {(type(failure), getattr(failure, "status", 0)) for failure in failures} == {(ApiError, 404)}
    assert len(outcomes) - len(failures) == 5
    added = [(await balance(product.database, person.tenant, now)).available for person in people]
    assert sum(added) == 5 * 12_500_000
    assert max(added) <= 2 * 12_500_000
    _, listed = await operate(product, "GET")
    assert [row["redeemed"] for row in listed["coupons"] if row["code"] == code.upper()] == [5]


async def test_one_tenant_redeems_as_often_as_its_limit(owner: SignedIn) -> None:
    code = await new_coupon(owner.product)
    assert (await redeem(owner, code)).status == 200
    assert await refused(owner, code) == NOT_REDEEMABLE
    other = await new_tenant(owner.product)
    assert (await redeem(other, code)).status == 200


@pytest.mark.parametrize(("offset", "status"), [(-1, 404), (0, 200), (DAY - 1, 200), (DAY, 404)])
async def test_coupon_holds_from_its_start_and_before_its_end(
    owner: SignedIn, clock: SettableClock, offset: int, status: int
) -> None:
    start = Micros(clock() // MINUTE * MINUTE + 5 * MINUTE)
    code = await new_coupon(owner.product, starts_at=iso(start), ends_at=iso(Micros(start + DAY)))
    product = owner.product
    moment = Micros(start + offset)
    if status == 200:
        assert (await product.billing.coupons.redeem(buyer_of(owner), code, moment)).credits == 12_500_000
    else:
        with pytest.raises(ApiError) as refusal:
            await product.billing.coupons.redeem(buyer_of(owner), code, moment)
        assert refusal.value.status == status


async def test_every_refusal_is_the_same(owner: SignedIn, clock: SettableClock) -> None:
    product = owner.product
    disabled, ended = await new_coupon(product), await new_coupon(product, ends_at=iso(Micros(clock() + MINUTE)))
    status, row = await operate(product, "POST", f"/{disabled.lower()}/disable")
    assert (status, row["disabled"]) == (200, True)
    assert (await operate(product, "POST", f"/{disabled}/disable"))[0] == 200
    clock.pass_seconds(61)
    for code in (disabled, ended, "UNKNOWN-CODE", "no code at all", "x", "é"):
        assert await refused(owner, code) == NOT_REDEEMABLE


async def test_coupon_that_is_disabled_or_used_up_meanwhile_adds_nothing(owner: SignedIn) -> None:
    product, coupons = owner.product, owner.product.billing.coupons
    code = await new_coupon(product, max_redemptions=1)
    read = coupons._find
    (stale,) = [coupon for coupon in await coupons.all() if coupon.code == code.upper()]

    async def stale_find(_code: str) -> Coupon:
        return stale

    await operate(product, "POST", f"/{code}/disable")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(coupons, "_find", stale_find)
        with pytest.raises(ApiError) as refusal:
            await coupons.redeem(buyer_of(owner), code, product.clock())
    assert refusal.value.status == 404
    assert (await read(code) or stale).redeemed == 0
    assert (await balance(product.database, owner.tenant, product.clock())).available == 0


async def test_guessing_is_limited_for_a_tenant_and_a_network(owner: SignedIn, clock: SettableClock) -> None:
    for _ in range(10):
        assert await refused(owner, "GUESS") == NOT_REDEEMABLE
    assert (await refused(owner, "GUESS"))[:2] == (429, "rate_limit_exceeded")
    other = await new_tenant(owner.product)
    assert (await refused(other, "GUESS"))[0] == 429  # of the same network
    clock.pass_seconds(61)
    assert await refused(owner, "GUESS") == NOT_REDEEMABLE


async def test_agent_may_not_redeem(owner: SignedIn) -> None:
    agent = await new_member(owner, Role.AGENT)
    assert (await redeem(agent, "ANY")).status == 403


async def test_keyed_repeat_answers_the_same_and_adds_once(owner: SignedIn) -> None:
    product = owner.product
    code = await new_coupon(product, per_tenant_limit=9)
    key = {"Idempotency-Key": new_id("k")}
    first, again = await redeem(owner, code, **key), await redeem(owner, code, **key)
    assert (first.status, again.body) == (200, first.body)
    assert (await balance(product.database, owner.tenant, product.clock())).available == 12_500_000


async def test_run_that_died_after_the_transaction_adds_once(owner: SignedIn, monkeypatch: pytest.MonkeyPatch) -> None:
    product, coupons, buyer = owner.product, owner.product.billing.coupons, buyer_of(owner)
    code = await new_coupon(product, per_tenant_limit=9)
    transact = product.database.transact

    async def dying(operations: Any) -> None:
        await transact(operations)
        raise Unavailable("the process died", indeterminate=True)

    with monkeypatch.context() as patch:
        patch.setattr(product.database, "transact", dying)
        with pytest.raises(Unavailable):
            await coupons.redeem(buyer, code, product.clock())
    order = await coupons.redeem(buyer, code, Micros(product.clock() + MINUTE))
    assert order.order_id == buyer.order_id
    assert (await balance(product.database, owner.tenant, product.clock())).available == 12_500_000
    stranger = replace(buyer, tenant=(await new_tenant(product)).tenant)
    with pytest.raises(ApiError) as refusal:  # another tenant's order is no answer
        await coupons.redeem(stranger, "UNKNOWN", product.clock())
    assert refusal.value.status == 404


async def test_at_once_the_same_request_adds_once(owner: SignedIn) -> None:
    product, coupons, buyer = owner.product, owner.product.billing.coupons, buyer_of(owner)
    code = await new_coupon(product, per_tenant_limit=9)
    orders = await asyncio.gather(*(coupons.redeem(buyer, code, product.clock()) for _ in range(4)))
    assert {order.order_id for order in orders} == {buyer.order_id}
    assert (await balance(product.database, owner.tenant, product.clock())).available == 12_500_000


async def test_same_request_that_was_faster_is_the_answer(owner: SignedIn, module_tables: StageTables) -> None:
    product, buyer = owner.product, buyer_of(owner)
    code = await new_coupon(product, per_tenant_limit=9)
    slow = InterleavingDynamoDB(module_tables.endpoint)
    coupons = Coupons(Orders(Database(slow, module_tables.stage)))
    slow.before("TransactWriteItems", lambda: product.billing.coupons.redeem(buyer, code, product.clock()))

    order = await coupons.redeem(buyer, code, product.clock())

    assert (order.order_id, slow.pending) == (buyer.order_id, 0)
    assert (await balance(product.database, owner.tenant, product.clock())).available == 12_500_000
    await slow.close()


@pytest.mark.parametrize(
    "wrong",
    [
        {"code": "no"},
        {"code": "with space"},
        {"credits": "0"},
        {"credits": "-1"},
        {"credits": "NaN"},
        {"credits": "1.0000001"},
        {"max_redemptions": 0},
        {"per_tenant_limit": 0},
        {"starts_at": "2026-11-16T00:00:00"},
        {"starts_at": "2026-11-16T00:00:00Z", "ends_at": "2026-11-16T00:00:00Z"},
        {"starts_at": "0001-01-01T00:00:00+14:00"},  # before the calendar begins, in UTC
        {"ends_at": "9999-12-31T23:59:59-14:00"},
        {"reason": " "},
    ],
)
async def test_bad_coupon_is_refused(product: WholeProduct, wrong: dict[str, Any]) -> None:
    wanted: dict[str, Any] = {"code": new_id("C"), "credits": "1", "max_redemptions": 1, **wrong}
    status, answer = await operate(product, "POST", "", **wanted)
    assert (status, answer["error"]["code"]) == (422, "invalid_request_error")


async def test_code_exists_once_and_unknown_one_is_not_disabled(product: WholeProduct) -> None:
    code = await new_coupon(product)
    again: dict[str, Any] = {"code": code.lower(), "credits": "1", "max_redemptions": 1}
    assert (await operate(product, "POST", "", **again))[0] == 409
    assert (await operate(product, "POST", "/UNKNOWN/disable"))[0] == 404
