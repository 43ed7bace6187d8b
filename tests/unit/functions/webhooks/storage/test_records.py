"""Records are decoded to what was encoded."""

import pytest

from callmissed.aws.attributes import from_item, to_item
from callmissed.clock import SECOND, Micros
from callmissed.events.outbox import RETENTION
from functions.webhooks.storage.records import (
    WEBHOOK,
    Attempt,
    Delivery,
    DisabledReason,
    Endpoint,
    SigningSecret,
    State,
    Webhook,
    WebhookStatus,
)
from functions.webhooks.storage.replays import DeliveryReplay, ReplayKind, ReplayState

NOW = Micros(1_795_599_000 * SECOND)
ENDPOINT = Endpoint("tnt_1", "wh_1")
NEW = Webhook(endpoint=ENDPOINT, url="https://example.com/", events=["*"], created_at=NOW, updated_at=NOW, secrets=[])
DISABLED = Webhook(
    endpoint=ENDPOINT,
    url="https://example.com/",
    events=["message.*"],
    description="CRM",
    headers={"Authorization": "sealed"},
    secrets=[SigningSecret("newest"), SigningSecret("earlier", NOW + SECOND)],
    masked_secret="whse****",
    active=False,
    created_at=NOW,
    updated_at=NOW,
    revision=3,
    consecutive_failures=7,
    first_failure_at=NOW,
    open_until=Micros(NOW + SECOND),
    disabled_reason=DisabledReason.FAILING,
    disabled_at=NOW,
    rotation_id="op_1",
)
DELIVERY = Delivery(
    endpoint=ENDPOINT,
    id="dlv_1",
    event_id="evt_1",
    attempts=2,
    event_type="credits.low",
    created_at=NOW,
    state=State.PENDING,
    attempts_before_recovery=1,
    next_attempt_at=Micros(NOW + SECOND),
    status_code=500,
    error="The endpoint answered 500.",
    replay_of="dlv_0",
)
REPLAY = DeliveryReplay(
    endpoint=ENDPOINT,
    id="rpl_1",
    kind=ReplayKind.RECOVER,
    created_at=NOW,
    since=Micros(NOW - SECOND),
    until=NOW,
    events=["*"],
    states=[State.FAILED],
    cursor="D#",
    scanned=3,
    queued=2,
    state=ReplayState.DONE,
)


@pytest.mark.parametrize("record", [NEW, DISABLED, DELIVERY, REPLAY], ids=["new", "disabled", "delivery", "replay"])
def test_a_record_is_decoded_to_what_was_encoded(record: Webhook | Delivery | DeliveryReplay) -> None:
    decoded = type(record).of(from_item(to_item(record.item)))

    assert decoded == record


def test_an_attempt_is_decoded_to_what_was_encoded() -> None:
    attempt = Attempt(number=12, at=NOW, status_code=500, latency_ms=31, error="no", response_body="no", truncated=True)

    assert Attempt.of(attempt.item(DELIVERY)) == attempt


def test_an_attempt_stores_nothing_that_is_empty() -> None:
    attempt = Attempt(number=1, at=NOW, status_code=204, latency_ms=31, response_body="", truncated=False)

    assert set(attempt.item(DELIVERY)) == {"webhook", "item", "at", "status", "latency_ms", "ttl"}


def test_a_delivery_and_its_attempts_are_forgotten_with_the_event() -> None:
    assert DELIVERY.item["ttl"] == Attempt(number=1, at=NOW).item(DELIVERY)["ttl"] == (NOW + RETENTION) // SECOND


@pytest.mark.parametrize(
    ("active", "reason", "status"),
    [
        (True, None, WebhookStatus.ACTIVE),
        (False, None, WebhookStatus.PAUSED),
        (False, DisabledReason.GONE, WebhookStatus.DISABLED),
    ],
)
def test_a_webhook_has_a_status(active: bool, reason: DisabledReason | None, status: WebhookStatus) -> None:
    webhook = Webhook(
        endpoint=ENDPOINT, url="", events=[], created_at=NOW, updated_at=NOW, active=active, disabled_reason=reason
    )

    assert webhook.status is status


def test_changes_name_only_the_attributes_that_differ() -> None:
    assert WEBHOOK.changes(NEW, NEW) == ({}, ())
    assert WEBHOOK.changes(DISABLED, NEW) == (
        {
            "events": ["*"],
            "description": "",
            "headers": {},
            "secrets": [],
            "masked_secret": "",
            "active": True,
            "revision": 1,
        },
        WEBHOOK.names(
            "consecutive_failures", "first_failure_at", "open_until", "disabled_reason", "disabled_at", "rotation_id"
        ),
    )


def test_encoding_a_field_that_is_not_stored_raises() -> None:
    with pytest.raises(KeyError):
        WEBHOOK.encode(unknown=1)
