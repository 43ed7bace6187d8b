"""The worker of the queue `payments`: one callback fails alone, and what is none of ours is passed over."""

import copy
import json
from typing import Any

import pytest

from local.fakes.cashfree.callbacks import trial_event
from tests.support.billing.purchases import Purchases
from tests.support.faults import Fault, FaultyDynamoDB
from tests.support.logs import metrics_of, written_logs
from tests.support.webhooks.callbacks import by_cashfree


@pytest.mark.parametrize(
    "callback",
    [
        "no json",
        "[]",
        "5",
        {"type": "PAYMENT_SUCCESS_WEBHOOK"},
        {"type": "PAYMENT_SUCCESS_WEBHOOK", "data": None},
        {"type": "PAYMENT_SUCCESS_WEBHOOK", "data": {"payment": {}, "order": {}}},
        {"type": [], "data": {}},
    ],
)
async def test_callback_that_can_not_be_read_fails_alone(purchases: Purchases, callback: Any) -> None:
    order = await purchases.buy()

    failed = await purchases.receive(callback, *purchases.pay(order))

    assert len(failed) == 1
    assert await purchases.credits() == 100


@pytest.mark.parametrize("amount", ["99.0000001", "-99", "NaN", '"99"', "true", "1e40", "Infinity"])
async def test_amount_that_nobody_pays_grants_nothing(purchases: Purchases, amount: str) -> None:
    order = await purchases.buy()
    (callback,) = purchases.pay(order)
    callback["data"]["payment"]["payment_amount"] = "AMOUNT"
    text = json.dumps(callback).replace('"AMOUNT"', amount)

    assert len(await purchases.receive(text)) == 1

    assert (await purchases.credits(), await purchases.items(order)) == (0, [])


async def test_seven_decimals_of_nothing_are_no_difference(purchases: Purchases) -> None:
    order = await purchases.buy()
    (callback,) = purchases.pay(order)
    callback["data"]["payment"]["payment_amount"] = "AMOUNT"

    assert await purchases.receive(json.dumps(callback).replace('"AMOUNT"', "99.0000000")) == []

    assert await purchases.credits() == 100


async def test_success_that_is_pending_first_is_credited_when_it_succeeds(purchases: Purchases) -> None:
    """A bank that is late: the callback's type says success, but only its payment's status counts."""
    order = await purchases.buy()
    (success,) = purchases.pay(order)
    pending = copy.deepcopy(success)
    pending["data"]["payment"]["payment_status"] = "PENDING"

    assert await purchases.receive(pending) == []
    assert (await purchases.credits(), await purchases.states(order)) == (0, [])

    assert await purchases.receive(success, pending) == []
    assert await purchases.credits() == 100


@pytest.mark.parametrize("kind", ["PAYMENT_CHARGES_WEBHOOK", "INSTRUMENT_ACTIVE_WEBHOOK", "SETTLEMENT_SUCCESS"])
async def test_callbacks_that_move_no_money_are_passed_over(
    purchases: Purchases, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    order = await purchases.buy()
    (success,) = purchases.pay(order)

    assert await purchases.receive({**success, "type": kind}, trial_event()) == []

    assert metrics_of(capsys.readouterr().out, "PaymentCallbackPassedOver") == [1, 1]
    assert await purchases.credits() == 0


async def test_other_callbacks_are_passed_over(purchases: Purchases, capsys: pytest.CaptureFixture[str]) -> None:
    order = await purchases.buy()
    (callback,) = purchases.pay(order)
    callback["data"]["order"]["order_id"] = "cm_ffffffffffffffff"

    assert await purchases.receive(callback, {"type": "SETTLEMENT_WEBHOOK", "data": {}}) == []

    printed = capsys.readouterr().out
    assert metrics_of(printed, "PaymentOfUnknownOrder") == [1]
    assert metrics_of(printed, "PaymentCallbackPassedOver") == [1]
    assert await purchases.credits() == 0


async def test_message_without_a_callback_fails(purchases: Purchases) -> None:
    worker = purchases.composition.worker
    for body in ("no json", "{}", json.dumps({"detail": {"id": "evt_gone"}})):
        assert await worker.failures([{"messageId": "1", "body": body}]) == ["1"]


async def test_callback_waits_for_tables_that_do_not_answer(purchases: Purchases, dynamodb: FaultyDynamoDB) -> None:
    order = await purchases.buy()
    (callback,) = purchases.pay(order)
    record = await purchases.record(callback)
    dynamodb.faults.extend([Fault.THROTTLE] * 40)
    assert await purchases.composition.worker.failures([record]) == [record["messageId"]]
    dynamodb.forget()
    assert await purchases.composition.worker.failures([record]) == []
    assert await purchases.credits() == 100


async def test_unexpected_failure_is_logged_and_affects_one(
    purchases: Purchases, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = await purchases.buy()
    (callback,) = purchases.pay(order)

    async def broken(*_: object) -> None:
        raise ZeroDivisionError("a secret")

    worker = purchases.composition.worker
    monkeypatch.setitem(worker._processes, "OTHER", broken)
    assert len(await purchases.receive({"type": "OTHER", "data": {}}, callback)) == 1
    assert await purchases.credits() == 100


async def test_stand_in_signs_as_cashfree_documents(purchases: Purchases) -> None:
    order = await purchases.buy()
    purchases.cashfree.act(order.gateway_order, "pay")
    (callback,) = purchases.cashfree.take()
    stamp = int(callback.headers["x-webhook-timestamp"]) * 1000
    secret = purchases.cashfree.state.secret_key
    assert by_cashfree(callback.body, stamp, secret)["x-webhook-signature"] == callback.headers["x-webhook-signature"]


async def test_refused_payment_is_logged_without_the_gateways_text(purchases: Purchases) -> None:
    order = await purchases.buy()
    (callback,) = purchases.pay(order)
    callback["data"]["payment"] |= {"payment_amount": 1, "payment_message": "do-not-log-this"}
    with written_logs() as logs:
        assert await purchases.receive(callback) == []
    assert "amount_mismatch" in logs.text
    assert "do-not-log-this" not in logs.text
