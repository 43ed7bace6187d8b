"""A purchase in a browser: headless Chromium, the checkout page of the stand-in, and the running local stack."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.chromium import Page, chromium
from tests.support.local_stack import GUARD_SECONDS, LocalStack
from tests.support.visitors import Visitor, visiting

ADDRESS = "127.0.0.91"
"""Whose limits no other test uses up."""
CLICK = """async (label) => {
  const buttons = [...document.querySelectorAll('button')];
  buttons.find(button => button.textContent === label).click();
}"""
SHOWN = """async () => ({
  status: document.querySelector('#status')?.textContent,
  amount: document.querySelector('.amount')?.textContent,
  rows: [...document.querySelectorAll('tr')].map(row => row.innerText.replaceAll('\\t', ' ')),
  back: document.querySelector('a') ? document.querySelector('a').href : null,
})"""


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Page]:
    with chromium(tmp_path) as page:
        yield page


@pytest.fixture
def buyer(local_stack: LocalStack) -> Iterator[Visitor]:
    """The owner of a tenant of these tests."""
    with visiting(local_stack, "buyer", ADDRESS) as buyer:
        buyer.register()
        yield buyer


def order(buyer: Visitor, credits: int) -> Any:
    return buyer.post("/payments/create-order", {"type": "credit_topup", "credits": credits})


def checkout(local_stack: LocalStack, ordered: Any) -> str:
    return f"{local_stack.announcement['base_url']}/_local/checkout/{ordered['payment_session_id']}"


def status_of(buyer: Visitor, ordered: Any) -> str:
    [row] = [row for row in buyer.get("/payments/history") if row["order_id"] == ordered["order_id"]]
    return row["status"]


def wait_for(buyer: Visitor, ordered: Any, status: str) -> None:
    """Wait for the callback, the bus and the worker."""
    give_up = time.monotonic() + GUARD_SECONDS
    while (found := status_of(buyer, ordered)) != status:
        assert time.monotonic() < give_up, f"the order is {found}"
        time.sleep(0.1)


def shown(page: Page, words: str) -> Any:
    """What the page shows, once the words are on it."""
    give_up = time.monotonic() + GUARD_SECONDS
    while words not in str(found := page.run(SHOWN)):
        assert time.monotonic() < give_up, found
        time.sleep(0.1)
    return found


def test_pack_that_is_paid_in_a_browser_is_credited(local_stack: LocalStack, buyer: Visitor, page: Page) -> None:
    before = buyer.get("/credits/balance")["balance"]
    pack = next(pack for pack in buyer.get("/credits/packs")["packs"] if pack["popular"])
    ordered = order(buyer, pack["credits"])

    page.open(checkout(local_stack, ordered))
    assert shown(page, "ACTIVE")["amount"] == f"₹{pack['price']:.2f}"
    page.run(CLICK, "Pay")

    paid = shown(page, "PAID")
    assert [row.split()[0] for row in paid["rows"]] == ["Payment"]
    assert paid["back"].endswith(f"order_id={ordered['order_id']}")
    wait_for(buyer, ordered, "paid")
    assert buyer.get("/credits/balance")["balance"] == before + pack["total"]


def test_payment_that_fails_in_a_browser_may_be_tried_again(
    local_stack: LocalStack, buyer: Visitor, page: Page
) -> None:
    before, ordered = buyer.get("/credits/balance")["balance"], order(buyer, 100)

    page.open(checkout(local_stack, ordered))
    page.run(CLICK, "Fail")
    shown(page, "FAILED")
    wait_for(buyer, ordered, "failed")
    assert buyer.get("/credits/balance")["balance"] == before
    page.run(CLICK, "Pay twice")
    shown(page, "PAID")
    wait_for(buyer, ordered, "paid")

    assert buyer.get("/credits/balance")["balance"] == before + 100
