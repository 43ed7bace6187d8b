"""The client of Cashfree against the stand-in, and against servers that answer nothing of use."""

from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web

from callmissed.clock import Micros
from callmissed.errors import ApiError
from callmissed.http.client import SafeClient
from callmissed.money import Paise
from functions.billing.payments.cashfree import Cashfree, CashfreeAccount
from functions.billing.payments.gateway import (
    Customer,
    GatewayError,
    GatewayRefused,
    GatewayUnavailable,
    PaymentSession,
    PaymentStatus,
    RefundStatus,
)
from functions.billing.payments.records import gateway_key
from local.fakes.cashfree.fake import FakeCashfree

BUYER = Customer("tnt_1", "Ada", "ada@example.com", "9999999999")
AMOUNT = Paise(9_950)
NOW = 1_795_600_000
EXPIRES = Micros((NOW + 30 * 60) * 1_000_000)


@pytest.fixture(scope="module")
def serving() -> Iterator[FakeCashfree]:
    with FakeCashfree().serving() as cashfree:
        yield cashfree


@pytest.fixture
def cashfree(serving: FakeCashfree) -> FakeCashfree:
    serving.state.orders.clear()
    serving.state.answers.clear()
    serving.state.clock = lambda: NOW
    serving.state.faults.clear()
    return serving


@pytest_asyncio.fixture
async def client() -> AsyncIterator[SafeClient]:
    client = SafeClient(allow_loopback=True)
    yield client
    await client.close()


@pytest.fixture
def gateway(cashfree: FakeCashfree, client: SafeClient) -> Cashfree:
    state = cashfree.state
    account = CashfreeAccount(state.app_id, state.secret_key, "sandbox", cashfree.api_url)
    return Cashfree(client, lambda: account, timeout_seconds=0.5)


@dataclass
class Server:
    """Answers every request alike, and keeps what identifies it."""

    url: str = ""
    seen: list[tuple[str | None, str | None, str | None]] = field(
        default_factory=list[tuple[str | None, str | None, str | None]]
    )


@asynccontextmanager
async def answering(content: Any, status: int = 200, *, get: int = 0) -> AsyncGenerator[Server]:
    server = Server()

    async def answer(request: web.Request) -> web.Response:
        headers = request.headers
        names = ("x-idempotency-key", "x-client-id", "x-api-version")
        server.seen.append((headers.get(names[0]), headers.get(names[1]), headers.get(names[2])))
        code = get if get and request.method == "GET" else status
        return web.json_response(content, status=code, headers={"Location": "http://127.0.0.1:1/"})

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield server
    await runner.cleanup()


def asking(client: SafeClient, url: str) -> Cashfree:
    return Cashfree(client, lambda: CashfreeAccount("app", "secret", "sandbox", url), timeout_seconds=2.0)


async def create(gateway: Cashfree, amount: Paise = AMOUNT, return_url: str = "") -> PaymentSession:
    return await gateway.create_order("cm_1", amount, "INR", BUYER, expires=EXPIRES, return_url=return_url)


async def test_order_is_created_and_read(gateway: Cashfree, cashfree: FakeCashfree) -> None:
    session = await create(gateway, return_url="https://console/billing")

    made = cashfree.order("cm_1")
    assert (session.session_id, session.reference) == (made.session_id, made.reference)
    assert (made.amount, made.currency, made.return_url) == (99.5, "INR", "https://console/billing")
    assert made.customer == {
        "customer_id": "tnt1",
        "customer_name": "Ada",
        "customer_email": "ada@example.com",
        "customer_phone": "9999999999",
    }
    assert await gateway.payments("cm_1") == []
    assert gateway.environment == "sandbox"


@pytest.mark.parametrize(
    ("customer", "sent"),
    [
        (Customer("tnt_1", "Ada", "ada@example.com", "+919876543210"), {"customer_phone": "9876543210"}),
        (Customer("tnt_1", "Ada", "ada@example.com", "9876543210"), {"customer_phone": "9876543210"}),
        (Customer("tnt_1", "Ada", "ada@example.com", "+14155550100"), {}),
        (Customer("tnt_1", "Ada", "ada@example.com", ""), {}),
        (Customer("tnt_1", "Al", "ada@example.com", ""), {"customer_name": None}),
        (Customer("tnt_1", "", "", ""), {"customer_name": None, "customer_email": None}),
        (Customer("tnt_1", "A" * 101, "a@" + "b" * 99, ""), {"customer_name": None, "customer_email": None}),
        (Customer("tnt-" + "x_" * 20, "Ada", "ada@example.com", ""), {"customer_id": "tnt" + "x" * 20}),
    ],
)
async def test_what_the_gateway_would_refuse_is_not_sent(
    gateway: Cashfree, cashfree: FakeCashfree, customer: Customer, sent: dict[str, str | None]
) -> None:
    await gateway.create_order("cm_1", AMOUNT, "INR", customer, expires=EXPIRES, return_url="https://x/" + "y" * 250)

    expected = {
        "customer_id": "tnt1",
        "customer_name": "Ada",
        "customer_email": "ada@example.com",
        "customer_phone": "9999999999",
    }
    made = cashfree.order("cm_1")
    assert made.customer == {name: text for name, text in (expected | sent).items() if text is not None}
    assert made.return_url == ""


@pytest.mark.parametrize("minutes", [15, 30 * 24 * 60])
async def test_order_that_expires_too_soon_or_too_late_is_refused(gateway: Cashfree, minutes: int) -> None:
    expires = Micros((NOW + minutes * 60) * 1_000_000)
    with pytest.raises(GatewayRefused):
        await gateway.create_order("cm_1", AMOUNT, "INR", BUYER, expires=expires, return_url="")


async def test_repeat_with_other_details_finds_the_order(gateway: Cashfree, cashfree: FakeCashfree) -> None:
    """Somebody has changed the name meanwhile: another body under the same key is a 422."""
    session = await create(gateway)
    renamed = Customer("tnt_1", "Ada Lovelace", "ada@example.com", "")
    again = await gateway.create_order("cm_1", AMOUNT, "INR", renamed, expires=EXPIRES, return_url="")
    assert again == session
    assert cashfree.order("cm_1").customer["customer_name"] == "Ada"


async def test_order_that_exists_is_found_without_the_gateways_memory(
    gateway: Cashfree, cashfree: FakeCashfree
) -> None:
    session = await create(gateway)
    cashfree.state.answers.clear()  # keys are forgotten after a day: now it is a 409
    assert await create(gateway) == session


@pytest.mark.parametrize("status", ["EXPIRED", "TERMINATED", "TERMINATION_REQUESTED"])
async def test_order_that_can_not_be_paid_is_no_session(gateway: Cashfree, cashfree: FakeCashfree, status: str) -> None:
    await create(gateway)
    cashfree.order("cm_1").status = status
    cashfree.state.answers.clear()
    with pytest.raises(GatewayError, match="can't be paid"):
        await create(gateway)


async def test_order_that_exists_is_found(gateway: Cashfree) -> None:
    assert await create(gateway) == await create(gateway)
    with pytest.raises(GatewayError):
        await create(gateway, Paise(1))


async def test_payments_of_an_order(gateway: Cashfree, cashfree: FakeCashfree) -> None:
    await create(gateway)
    for action in ("fail", "pay"):
        cashfree.act("cm_1", action)

    failed, succeeded = await gateway.payments("cm_1")

    assert (failed.status, failed.reason) == (PaymentStatus.FAILED, "failed")
    assert (succeeded.status, succeeded.amount, succeeded.method) == (PaymentStatus.SUCCEEDED, AMOUNT, "upi")
    assert await gateway.payments("cm_unknown") == []


async def test_refund_is_made_once_under_its_id(gateway: Cashfree, cashfree: FakeCashfree) -> None:
    await create(gateway)
    cashfree.act("cm_1", "pay")
    assert await gateway.find_refund("cm_1", "rf1") is None

    refunds = [await gateway.refund("cm_1", "rf1", Paise(50), "n" * 200) for _ in range(2)]

    assert refunds[0] == refunds[1] == await gateway.find_refund("cm_1", "rf1")
    assert (refunds[0].status, refunds[0].amount) == (RefundStatus.SUCCEEDED, 50)
    assert len(cashfree.order("cm_1").refunds["rf1"].note) == 100
    with pytest.raises(GatewayRefused):
        await gateway.refund("cm_1", "rf2", Paise(9_901), "")
    with pytest.raises(GatewayRefused):
        await gateway.refund("cm_unknown", "rf2", Paise(1), "")


async def test_refusal_is_decided_anew(gateway: Cashfree, cashfree: FakeCashfree) -> None:
    """The gateway repeats its answer, also a refusal, to who asks again with the same key."""
    await create(gateway)
    with pytest.raises(GatewayRefused):
        await gateway.refund("cm_1", "rf1", Paise(50), "too early")
    cashfree.act("cm_1", "pay")
    with pytest.raises(GatewayRefused):
        await gateway.refund("cm_1", "rf1", Paise(50), "too early")

    refund = await gateway.refund("cm_1", "rf1", Paise(50), "too early", refused=1)

    assert refund.status is RefundStatus.SUCCEEDED
    assert await gateway.refund("cm_1", "rf1", Paise(50), "too early", refused=2) == refund
    assert await gateway.refund("cm_1", "rf1", Paise(50), "another note", refused=1) == refund
    assert len(cashfree.order("cm_1").refunds) == 1


async def test_note_that_is_too_short_is_left_out(gateway: Cashfree, cashfree: FakeCashfree) -> None:
    await create(gateway)
    cashfree.act("cm_1", "pay")
    for number, note in enumerate(("", "no", "why")):
        await gateway.refund("cm_1", f"rf{number}", Paise(50), note)
    assert [each.note for each in cashfree.order("cm_1").refunds.values()] == ["", "", "why"]


async def test_refunds_of_an_order(gateway: Cashfree, cashfree: FakeCashfree) -> None:
    assert await gateway.refunds("cm_1") == []
    await create(gateway)
    assert await gateway.refunds("cm_1") == []
    cashfree.act("cm_1", "pay")
    await gateway.refund("cm_1", "rf1", Paise(50), "")
    cashfree.act("cm_1", "auto_refund")

    ours, theirs = await gateway.refunds("cm_1")

    (payment,) = await gateway.payments("cm_1")
    assert (ours.refund_id, ours.amount, ours.payment_id) == ("rf1", 50, payment.payment_id)
    assert (theirs.amount, theirs.payment_id) == (AMOUNT, payment.payment_id)


async def test_refund_that_is_refused_as_a_copy_of_nothing(client: SafeClient) -> None:
    async with answering({}, 409, get=404) as server:
        with pytest.raises(GatewayRefused):
            await asking(client, server.url).refund("cm_1", "rf1", Paise(1), "")


@pytest.mark.parametrize("fault", ["down", "limited", "lost", "garbled", "slow"])
async def test_gateway_without_an_answer(gateway: Cashfree, cashfree: FakeCashfree, fault: str) -> None:
    cashfree.fault(fault, times=99, seconds=1.0)
    with pytest.raises(GatewayUnavailable):
        await create(gateway)
    with pytest.raises(GatewayUnavailable):
        await gateway.payments("cm_1")
    with pytest.raises(GatewayUnavailable):
        await gateway.find_refund("cm_1", "rf1")

    cashfree.state.faults.clear()
    assert (await create(gateway)).session_id == cashfree.order("cm_1").session_id


async def test_other_amount_is_no_session_and_no_price(gateway: Cashfree, cashfree: FakeCashfree) -> None:
    cashfree.fault("wrong_amount")
    with pytest.raises(GatewayError, match="another amount"):
        await create(gateway)
    cashfree.act("cm_1", "pay")
    cashfree.fault("wrong_amount")

    (payment,) = await gateway.payments("cm_1")
    assert payment.amount == 100


async def test_key_of_a_request_is_the_same_in_every_run(client: SafeClient) -> None:
    async with answering({}) as server:
        gateway = asking(client, server.url)
        for _ in range(2):
            with pytest.raises(GatewayError):
                await create(gateway)
        with pytest.raises(GatewayError):
            await gateway.refund("cm_1", "rf1", Paise(1), "")
        first, second, refund = server.seen
    assert first == second == (gateway_key("cm_1"), "app", "2025-01-01")
    assert refund == (gateway_key("rf1"), "app", "2025-01-01")
    assert refund[0] != first[0]


@pytest.mark.parametrize("status", [301, 302, 307, 400, 401, 404, 422])
async def test_refusal_and_redirect_are_no_answer(client: SafeClient, status: int) -> None:
    async with answering({}, status) as server:
        with pytest.raises(GatewayRefused):
            await create(asking(client, server.url))


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503])
async def test_failure_is_no_refusal(client: SafeClient, status: int) -> None:
    async with answering({}, status) as server:
        with pytest.raises(GatewayUnavailable):
            await asking(client, server.url).payments("cm_1")


async def test_answer_that_is_too_large(client: SafeClient) -> None:
    async with answering(["x" * 600_000]) as server:
        with pytest.raises(GatewayUnavailable):
            await asking(client, server.url).payments("cm_1")


async def test_nobody_listens(client: SafeClient) -> None:
    async with answering({}) as server:
        pass
    with pytest.raises(GatewayUnavailable):
        await asking(client, server.url).payments("cm_1")


async def test_private_address_is_not_asked() -> None:
    client = SafeClient()
    with pytest.raises(GatewayUnavailable):
        await asking(client, "http://127.0.0.1:1").payments("cm_1")
    await client.close()


async def test_without_an_account_there_are_no_payments(client: SafeClient) -> None:
    gateway = Cashfree(client, lambda: None)
    with pytest.raises(ApiError) as refused:
        await gateway.payments("cm_1")
    assert (refused.value.status, refused.value.code) == (503, "payments_not_configured")


def test_account_is_found_in_secrets() -> None:
    secrets = {"CASHFREE_APP_ID": "a", "CASHFREE_SECRET_KEY": "s"}
    sandbox, production = (
        CashfreeAccount.of(secrets),
        CashfreeAccount.of(secrets | {"CASHFREE_ENVIRONMENT": "production"}),
    )
    assert sandbox is not None
    assert production is not None
    assert (sandbox.environment, sandbox.url) == ("sandbox", "https://sandbox.cashfree.com/pg")
    assert (production.environment, production.url) == ("production", "https://api.cashfree.com/pg")
    assert CashfreeAccount.of(secrets, "http://localhost/pg") == CashfreeAccount(
        "a", "s", "sandbox", "http://localhost/pg"
    )
    for wrong in ({"CASHFREE_APP_ID": ""}, {"CASHFREE_SECRET_KEY": ""}, {"CASHFREE_ENVIRONMENT": "live"}):
        assert CashfreeAccount.of(secrets | wrong) is None
