"""`callmissed payments` on real tables, with the stand-in for the payment gateway."""

import json

import pytest

from callmissed.aws.dynamodb import DynamoDB
from local.aws.account import STAGE
from local.aws.tables import StageTables
from local.fakes.cashfree.fake import FakeCashfree
from tests.support.billing.purchases import Purchases
from tests.support.cli import CommandLine


def order_of(line: CommandLine, cashfree: FakeCashfree, *, paid: bool = True) -> str:
    """Id of an order of 100 credits for 99 rupees."""

    async def made(dynamodb: DynamoDB) -> str:
        purchases = await Purchases(StageTables(line.endpoint, STAGE), dynamodb, cashfree).open()
        order = await (purchases.paid_order() if paid else purchases.buy())
        await purchases.close()
        return order.order_id

    return line.work(made)


def refused(line: CommandLine, *words: str) -> str:
    """What a refund that is refused prints in its one line."""
    result = line.run("payments", "refund", *words)
    assert (result.exit_code, result.stdout) == (1, ""), result.output
    assert result.stderr.count("\n") == 1
    return result.stderr


def test_order_is_refunded_in_part_and_then_in_full(paying_line: CommandLine, cashfree: FakeCashfree) -> None:
    order = order_of(paying_line, cashfree)
    words = ("payments", "refund", order, "--amount", "49.50", "--refund-id", "ticket-1", "--reason", "asked")

    first, again = paying_line.json(*words), paying_line.json(*words)
    rest = paying_line.json("payments", "refund", order, "--reason", "all of it")

    assert first == again
    assert (first["order_id"], first["status"], first["amount"], first["credits"]) == (
        order,
        "succeeded",
        "49.50",
        "50",
    )
    assert (first["order_status"], rest["amount"], rest["order_status"], rest["refunded"]) == (
        "paid",
        "49.50",
        "refunded",
        "99.00",
    )
    assert rest["refund_id"] != first["refund_id"]
    assert cashfree.order(order).refunded == 99.0


def test_refunds_that_can_not_be_are_explained_in_a_line(paying_line: CommandLine, cashfree: FakeCashfree) -> None:
    order, unpaid = order_of(paying_line, cashfree), order_of(paying_line, cashfree, paid=False)

    assert "No such order" in refused(paying_line, "cm_0000000000000000")
    assert "No such order" in refused(paying_line, "#")
    assert "not paid" in refused(paying_line, unpaid)
    assert "At most 99.00" in refused(paying_line, order, "--amount", "99.01")
    for amount in ("NaN", "-1", "0.0000001", "1" * 12, ""):
        assert "amount" in refused(paying_line, order, "--amount", amount)
    assert "refund_id" in refused(paying_line, order, "--refund-id", "a b")
    assert cashfree.order(order).refunds == {}


def test_name_of_another_amount_is_refused(paying_line: CommandLine, cashfree: FakeCashfree) -> None:
    order = order_of(paying_line, cashfree)
    paying_line.json("payments", "refund", order, "--amount", "1", "--refund-id", "one")

    assert "another amount" in refused(paying_line, order, "--amount", "2", "--refund-id", "one")


def test_without_a_gateway_nothing_is_refunded(
    paying_line: CommandLine, cashfree: FakeCashfree, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = order_of(paying_line, cashfree)
    monkeypatch.delenv("CASHFREE_SECRET_KEY")

    assert "takes no payments" in refused(paying_line, order)
    assert cashfree.order(order).refunds == {}


@pytest.mark.parametrize("status", ["PENDING", "FAILED"])
def test_undecided_refund_is_shown_as_pending(
    paying_line: CommandLine, cashfree: FakeCashfree, monkeypatch: pytest.MonkeyPatch, status: str
) -> None:
    order = order_of(paying_line, cashfree)
    monkeypatch.setattr(cashfree.state, "refund_status", status)
    result = paying_line.run("payments", "refund", order, "--json")
    assert (result.exit_code, json.loads(result.stdout)["status"]) == (0, "pending")
