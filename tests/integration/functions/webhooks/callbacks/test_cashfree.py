"""Callbacks of Cashfree: the signature over timestamp and body, and what makes two of them the same."""

import asyncio

import pytest

from callmissed.aws.secrets import RecentEnvironment
from callmissed.clock import MINUTE, SECOND
from local.fakes.cashfree.callbacks import signed, trial_event
from tests.support.webhooks.callbacks import CASHFREE, CASHFREE_SECRET, NOW, CallbacksApi, by_cashfree, payment

DAY = 24 * 60 * MINUTE


async def test_a_payment_is_stored_for_the_platform(callbacks_api: CallbacksApi) -> None:
    body = payment()
    headers = by_cashfree(body) | {"x-idempotency-key": "k-1"}

    answer = await callbacks_api.post(CASHFREE, body, headers)

    assert (answer.status, answer.text) == (200, "")
    (item,) = await callbacks_api.outbox()
    assert (item["tenant"], item["type"]) == ("@platform", "callback.cashfree")
    assert await callbacks_api.texts() == [body.decode()]
    assert '"x-idempotency-key":"k-1"' in item["body"]


async def test_a_repeated_payment_adds_nothing_whatever_its_unsigned_headers_say(callbacks_api: CallbacksApi) -> None:
    body = payment()
    calls = [by_cashfree(body, NOW + n * SECOND) | {"x-idempotency-key": f"k-{n}"} for n in range(10)]

    answers = await asyncio.gather(*(callbacks_api.post(CASHFREE, body, headers) for headers in calls))

    assert {answer.status for answer in answers} == {200}
    assert len(await callbacks_api.outbox()) == 1


async def test_another_payment_or_another_outcome_is_another_callback(callbacks_api: CallbacksApi) -> None:
    for body in (payment(1), payment(2), payment(1, "PAYMENT_FAILED_WEBHOOK"), b'{"type":"REFUND"}', b"{}", b"[]"):
        assert (await callbacks_api.post(CASHFREE, body, by_cashfree(body))).status == 200

    assert len(await callbacks_api.outbox()) == 6


async def test_payment_that_succeeds_after_it_was_pending_is_another_callback(callbacks_api: CallbacksApi) -> None:
    """A bank that is late: `PAYMENT_SUCCESS_WEBHOOK` comes as PENDING first."""
    bodies = [payment(1, status=status) for status in ("PENDING", "SUCCESS", "PENDING", "SUCCESS")]
    for body in bodies:
        assert (await callbacks_api.post(CASHFREE, body, by_cashfree(body))).status == 200

    assert sorted(await callbacks_api.texts()) == sorted(body.decode() for body in bodies[:2])


async def test_test_trial_event_is_taken(callbacks_api: CallbacksApi) -> None:
    callback = signed(trial_event(), CASHFREE_SECRET)
    headers = callback.headers | by_cashfree(callback.body)

    assert (await callbacks_api.post(CASHFREE, callback.body, headers)).status == 200


@pytest.mark.parametrize("id", ["null", '""', "{}", "true"])
async def test_payments_without_an_id_are_known_by_their_content(callbacks_api: CallbacksApi, id: str) -> None:
    for order in ("cm_1", "cm_2"):
        data = f'{{"order":{{"order_id":"{order}"}},"payment":{{"cf_payment_id":{id}}}}}'
        body = f'{{"type":"PAYMENT_USER_DROPPED_WEBHOOK","data":{data}}}'.encode()
        assert (await callbacks_api.post(CASHFREE, body, by_cashfree(body))).status == 200

    assert len(await callbacks_api.outbox()) == 2


async def test_no_part_of_the_timestamp_passes_for_the_body(callbacks_api: CallbacksApi) -> None:
    body = payment()
    headers = by_cashfree(body)
    stamp = headers["x-webhook-timestamp"]  # in milliseconds: without its last three digits it is one in seconds

    answer = await callbacks_api.post(
        CASHFREE, stamp[-3:].encode() + body, headers | {"x-webhook-timestamp": stamp[:-3]}
    )

    assert (answer.status, answer.code) == (401, "invalid_signature")


@pytest.mark.parametrize("at", [NOW - DAY - SECOND, NOW + 6 * MINUTE], ids=["too old", "from the future"])
async def test_an_untimely_callback_is_refused(callbacks_api: CallbacksApi, at: int) -> None:
    body = payment()

    assert (await callbacks_api.post(CASHFREE, body, by_cashfree(body, at))).code == "invalid_signature"


@pytest.mark.parametrize("at", [NOW - DAY, NOW + 5 * MINUTE])
async def test_a_late_retry_with_its_first_timestamp_is_taken(callbacks_api: CallbacksApi, at: int) -> None:
    body = payment()

    assert (await callbacks_api.post(CASHFREE, body, by_cashfree(body, at))).status == 200


async def test_seconds_are_a_timestamp_too(callbacks_api: CallbacksApi) -> None:
    body = payment()
    headers = by_cashfree(body, NOW // 1000)  # milliseconds where the function divides microseconds: a stamp in seconds

    assert len(headers["x-webhook-timestamp"]) == 10
    assert (await callbacks_api.post(CASHFREE, body, headers)).status == 200


@pytest.mark.parametrize(
    "changes",
    [
        {"x-webhook-signature": ""},
        {"x-webhook-signature": "AAAA"},
        {"x-webhook-signature": "é"},
        {"x-webhook-timestamp": ""},
        {"x-webhook-timestamp": str(NOW // 1000 + 1)},
        {"x-webhook-timestamp": "-1"},
        {"x-webhook-timestamp": "²"},
        {"x-webhook-timestamp": "9" * 5000},
    ],
)
async def test_a_wrong_signature_or_timestamp_is_refused(callbacks_api: CallbacksApi, changes: dict[str, str]) -> None:
    body = payment()

    answer = await callbacks_api.post(CASHFREE, body, by_cashfree(body) | changes)

    assert (answer.status, answer.code) == (401, "invalid_signature")
    assert await callbacks_api.outbox() == []


async def test_a_signature_fits_no_other_body_and_no_other_secret(callbacks_api: CallbacksApi) -> None:
    body = payment()

    assert (await callbacks_api.post(CASHFREE, payment(6), by_cashfree(body))).status == 401
    assert (await callbacks_api.post(CASHFREE, body, by_cashfree(body, secret="another"))).status == 401


async def test_bytes_that_are_no_text_are_kept_as_they_came(callbacks_api: CallbacksApi) -> None:
    body = b'{"type":"X\xff"}'

    assert (await callbacks_api.post(CASHFREE, body, by_cashfree(body))).status == 200
    (text,) = await callbacks_api.texts()
    assert text.encode(errors="surrogateescape") == body


async def test_without_a_secret_nothing_is_taken(callbacks_api: CallbacksApi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CASHFREE_SECRET_KEY")
    body = payment()

    assert (await callbacks_api.post(CASHFREE, body, by_cashfree(body, secret=""))).status == 401


async def test_a_payment_that_the_bus_can_not_carry_is_refused(callbacks_api: CallbacksApi) -> None:
    body = payment("9" * 210_000)

    assert (await callbacks_api.post(CASHFREE, body, by_cashfree(body))).status == 413


async def test_callback_under_a_secret_that_was_just_rotated_is_taken(
    callbacks_api: CallbacksApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process remembers the old secret until a signature does not fit."""
    read: list[bool] = []

    def values(_: RecentEnvironment, *, newest: bool = False) -> dict[str, str]:
        read.append(newest)
        return {"CASHFREE_SECRET_KEY": "new" if newest else CASHFREE_SECRET}

    monkeypatch.setattr(RecentEnvironment, "values", values)
    old, new = payment(1), payment(2)

    assert (await callbacks_api.post(CASHFREE, old, by_cashfree(old))).status == 200
    assert read == [False]
    assert (await callbacks_api.post(CASHFREE, new, by_cashfree(new, secret="new"))).status == 200
    assert (await callbacks_api.post(CASHFREE, new, by_cashfree(new, secret="forged"))).status == 401
