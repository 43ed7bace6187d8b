"""Webhooks as a tenant meets them: the guide, followed on the local stack, and what happens when things go wrong."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from standardwebhooks import Webhook as Library
from standardwebhooks.webhooks import WebhookVerificationError

from callmissed.platform.queues import CALLBACKS, physical_queue_name
from local.aws.account import STAGE
from local.aws.clients import local_client
from tests.support.local_stack import GUARD_SECONDS, LocalStack, running
from tests.support.visitors import visiting
from tests.support.webhooks.callbacks import (
    APP_SECRET,
    TOKEN,
    body_of,
    by_meta,
    by_twilio,
    call_form,
    change,
    message,
)
from tests.support.webhooks.receivers import SOURCES, receiver
from tests.support.webhooks.tenants import COMMAND, WEBHOOKS, Arrival, Endpoint, Tenant, Webhook, client, command, until

INVALID_KEY = ("invalid_request_error", "invalid_api_key")
DENIED = ("permission_error", "permission_denied")
NOT_FOUND = ("not_found_error", "not_found")


@pytest.fixture(scope="module")
def tenant(local_stack: LocalStack) -> Iterator[Tenant]:
    with Tenant.created(local_stack, "Blue Kettle") as tenant:
        yield tenant


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    with Endpoint.serving() as endpoint:
        yield endpoint


@pytest.fixture
def webhook(tenant: Tenant, endpoint: Endpoint) -> Iterator[Webhook]:
    """For `message.received` at the endpoint."""
    with tenant.webhook(endpoint.url, "message.received") as webhook:
        yield webhook


def signed_with(secret: str, arrival: Arrival) -> bool:
    try:
        Library(secret).verify(arrival.body, dict(arrival.headers), json_parse=False)
    except WebhookVerificationError:
        return False
    return True


def events(endpoint: Endpoint) -> list[str]:
    return [json.loads(arrival.body)["id"] for arrival in endpoint.arrivals]


def test_the_guide_leads_to_a_verified_event_and_its_replay(tenant: Tenant, tmp_path: Path) -> None:
    command = [sys.executable, SOURCES / "receive.py"]
    with (
        tenant.webhook("http://127.0.0.1:9/", "*") as webhook,
        receiver(command, tmp_path / "errors", webhook.secret) as server,
    ):
        assert webhook.call("PUT", body={"url": f"{server.url}/hooks"}).status_code == 200
        tested = webhook.call("POST", "/test").json()
        assert (tested["success"], tested["status_code"], tested["error"]) == (True, 204, None)
        assert server.handled_until("This is a test")[-1].startswith("test ")

        event = tenant.emit()
        assert server.handled_until("Where is my order?")[-1].startswith("message.received ")
        first = webhook.delivery(event, status="delivered")

        answer = webhook.call("POST", f"/deliveries/{first['id']}/replay")
        assert (answer.status_code, answer.json()["status"]) == (202, "queued")
        assert server.handled_until("Where is my order?")[-1].startswith("message.received ")
        again = webhook.delivery(event, status="delivered", replay_of=first["id"])
        assert again["id"] == answer.json()["delivery_id"] != first["id"]


def test_the_command_line_lists_and_deletes(tenant: Tenant, endpoint: Endpoint) -> None:
    made = tenant.api.post(WEBHOOKS, json={"url": endpoint.url, "events": ["message.received"]}).json()
    webhook, of_tenant = Webhook(tenant.api, made["id"], made["secret"]), ("--tenant", tenant.id)
    delivery = webhook.delivery(tenant.emit(), status="delivered")

    listed = command(tenant.local_stack, "webhooks", "list", *of_tenant)
    deliveries = command(tenant.local_stack, "webhooks", "deliveries", webhook.id, *of_tenant)
    deleted = command(tenant.local_stack, "webhooks", "delete", webhook.id, *of_tenant)

    assert [row for row in listed if row["id"] == webhook.id] == [webhook_as_listed(made)]
    assert deliveries == [delivery]
    assert deleted == {"deleted": webhook.id, "url": endpoint.url}
    assert webhook.call("GET").status_code == 404


def webhook_as_listed(made: dict[str, Any]) -> dict[str, Any]:
    return made | {"secret": f"{made['secret'][:4]}****{made['secret'][-4:]}"}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_listening_prints_verified_events_and_leaves_nothing_behind(tenant: Tenant, number: signal.Signals) -> None:
    words = ["webhooks", "listen", "--event", "message.*", "--json", "--tenant", tenant.id]
    command_line = [COMMAND, *words, "--state", str(tenant.local_stack.state)]
    with subprocess.Popen(command_line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stderr.readline().startswith("Listening as wh_")
        (webhook,) = tenant.api.get(WEBHOOKS).json()
        assert httpx2.post(webhook["url"], json={"event": "forged"}, trust_env=False).status_code == 400
        event = tenant.emit()
        shown = json.loads(process.stdout.readline())
        process.send_signal(number)
        assert process.wait(GUARD_SECONDS) == 130
    assert (shown["id"], shown["event"], shown["data"]["text"]) == (event, "message.received", "Where is my order?")
    assert tenant.api.get(WEBHOOKS).json() == []


def test_a_receiver_with_another_secret_is_a_failed_test(tenant: Tenant, tmp_path: Path) -> None:
    with (
        receiver([sys.executable, SOURCES / "receive.py"], tmp_path / "errors") as server,
        tenant.webhook(server.url) as webhook,
    ):
        tested = webhook.call("POST", "/test").json()
    assert (tested["success"], tested["status_code"]) == (False, 400)


def test_an_endpoint_that_failed_gets_the_same_delivery_again(
    tenant: Tenant, webhook: Webhook, endpoint: Endpoint
) -> None:
    endpoint.status = 500
    event = tenant.emit()
    webhook.delivery(event, status="pending", attempts=1, status_code=500)
    endpoint.status = 204

    done = webhook.delivery(event, status="delivered", attempts=2)

    first, second = endpoint.arrivals
    assert first.id == second.id == done["id"]
    assert first.body == second.body
    attempts = webhook.call("GET", f"/deliveries/{done['id']}").json()["attempts"]
    assert [attempt["status_code"] for attempt in attempts] == [500, 204]


def test_a_paused_webhook_gets_its_events_when_it_is_resumed(
    tenant: Tenant, webhook: Webhook, endpoint: Endpoint
) -> None:
    assert webhook.call("PUT", body={"is_active": False}).json()["status"] == "paused"
    event = tenant.emit()
    parked = webhook.delivery(event, status="parked")
    refused = webhook.call("POST", f"/deliveries/{parked['id']}/replay")
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "webhook_inactive")
    assert endpoint.arrivals == []

    assert webhook.call("PUT", body={"is_active": True}).json()["status"] == "active"

    assert webhook.delivery(event, status="delivered")["id"] == parked["id"]


def test_an_endpoint_that_is_gone_is_recovered_with_the_same_delivery(
    tenant: Tenant, webhook: Webhook, endpoint: Endpoint
) -> None:
    endpoint.status = 410
    event = tenant.emit()
    failed = webhook.delivery(event, status="failed")
    shown = webhook.call("GET").json()
    assert (shown["status"], shown["disabled_reason"], shown["is_active"]) == ("disabled", "gone", False)
    endpoint.status = 204

    started = webhook.call("POST", "/recover")

    assert (started.status_code, started.json()["kind"]) == (202, "recover")
    assert webhook.delivery(event, status="delivered")["id"] == failed["id"]
    assert finished(webhook, started.json()["id"])["queued"] == 1
    assert webhook.call("GET").json()["status"] == "active"


def test_a_range_is_replayed_under_new_ids(tenant: Tenant, webhook: Webhook, endpoint: Endpoint) -> None:
    event = tenant.emit()
    webhook.delivery(event, status="delivered")
    since = (datetime.now(UTC) - timedelta(hours=1)).isoformat()

    started = webhook.call("POST", "/replays", {"since": since, "events": ["message.*"], "status": "delivered"})

    assert (started.status_code, started.json()["kind"]) == (202, "replay")
    assert finished(webhook, started.json()["id"])["queued"] == 1
    until(lambda: len(endpoint.arrivals) == 2)
    assert events(endpoint) == [event, event]
    assert len({arrival.id for arrival in endpoint.arrivals}) == 2


def finished(webhook: Webhook, replay: str) -> dict[str, Any]:
    """The replay, once it is done."""

    def look() -> dict[str, Any] | None:
        found = webhook.call("GET", f"/replays/{replay}").json()
        return found if found["status"] == "done" else None

    return until(look)


def test_both_secrets_sign_during_a_rotation_and_the_new_one_alone_after_it(
    webhook: Webhook, endpoint: Endpoint
) -> None:
    newer = webhook.call("POST", "/rotate").json()["secret"]
    webhook.call("POST", "/test")
    newest = webhook.call("POST", "/rotate", {"overlap_hours": 0}).json()["secret"]
    webhook.call("POST", "/test")

    during, after = endpoint.arrivals
    assert [signed_with(secret, during) for secret in (webhook.secret, newer)] == [True, True]
    assert [signed_with(secret, after) for secret in (webhook.secret, newer, newest)] == [False, False, True]


def test_a_webhook_that_is_created_twice_with_a_key_is_created_once(tenant: Tenant, endpoint: Endpoint) -> None:
    body = {"url": endpoint.url, "events": ["invoice.*"]}
    keyed = {"Idempotency-Key": "create-4711"}

    first, again = [tenant.api.post(WEBHOOKS, json=body, headers=keyed) for _ in range(2)]
    other = tenant.api.post(WEBHOOKS, json=body | {"events": ["*"]}, headers=keyed)

    assert (first.status_code, again.status_code) == (201, 201)
    assert first.content == again.content
    assert (first.headers.get("Idempotent-Replayed"), again.headers["Idempotent-Replayed"]) == (None, "true")
    assert (other.status_code, other.json()["error"]["code"]) == (409, "idempotency_conflict")
    assert [one["id"] for one in tenant.api.get(WEBHOOKS).json()] == [first.json()["id"]]
    assert tenant.api.delete(f"{WEBHOOKS}/{first.json()['id']}").status_code == 204


@pytest.mark.parametrize("key", ["", "nonsense", "revoked"])
def test_without_a_live_key_there_is_nothing(tenant: Tenant, key: str) -> None:
    if key == "revoked":
        made = command(tenant.local_stack, "keys", "create", "--tenant", tenant.id, "--name", key, "--scopes", "*")
        command(tenant.local_stack, "keys", "revoke", made["id"], "--tenant", tenant.id)
        key = made["secret"]
    assert refusal(tenant.local_stack, key, WEBHOOKS) == (401, *INVALID_KEY)


def test_a_key_without_the_scope_gets_the_name_of_the_missing_one(tenant: Tenant) -> None:
    key = command(tenant.local_stack, "keys", "create", "--tenant", tenant.id, "--name", "plain")["secret"]
    assert refusal(tenant.local_stack, key, WEBHOOKS) == (403, *DENIED)


def test_another_tenants_webhook_is_not_there(local_stack: LocalStack, webhook: Webhook) -> None:
    stranger = local_stack.announcement["live_key"]
    assert refusal(local_stack, stranger, f"{WEBHOOKS}/{webhook.id}") == (404, *NOT_FOUND)
    assert refusal(local_stack, stranger, f"{WEBHOOKS}/{webhook.id}", "DELETE") == (404, *NOT_FOUND)
    assert webhook.call("GET").status_code == 200


def refusal(local_stack: LocalStack, key: str, path: str, method: str = "GET") -> tuple[int, str, str]:
    """Status, type and code of an error, which has the envelope of all errors."""
    with client(local_stack, key) as api:
        answer = api.request(method, path)
    error = answer.json()["error"]
    assert error.keys() == {"message", "type", "code", "request_id"}
    return answer.status_code, error["type"], error["code"]


@pytest.mark.parametrize("url", ["https://169.254.169.254/latest", "http://10.0.0.1/", "http://example.com/"])
def test_a_local_stack_calls_no_plain_or_private_address_but_loopback(tenant: Tenant, url: str) -> None:
    answer = tenant.api.post(WEBHOOKS, json={"url": url, "events": ["*"]})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "url_rejected")


@pytest.fixture(scope="module")
def whatsapp(tenant: Tenant) -> Callable[..., int]:
    """Sends a message to the tenant's number, signed with a secret of Meta's app; returns the answer's status."""
    command(
        tenant.local_stack,
        *("integrations", "set", "whatsapp", "--tenant", tenant.id, "--phone-number-id", "1066"),
        WHATSAPP_ACCESS_TOKEN="EAAG-token",
        WHATSAPP_VERIFY_TOKEN="blue-kettle",
        WHATSAPP_APP_SECRET=APP_SECRET,
    )

    def send(id: str, secret: str = APP_SECRET) -> int:
        body = body_of(change(messages=[message(id)]))
        return callback(tenant.local_stack, "whatsapp", body, by_meta(body, secret))

    return send


def callback(local_stack: LocalStack, provider: str, body: bytes, headers: dict[str, str]) -> int:
    with client(local_stack, "") as api:
        return api.post(f"{WEBHOOKS}/{provider}", content=body, headers=headers).status_code


def test_a_message_on_whatsapp_arrives_as_an_event(
    whatsapp: Callable[..., int], webhook: Webhook, endpoint: Endpoint
) -> None:
    assert whatsapp("wamid.D1", "another secret") == 401
    assert [whatsapp("wamid.D1") for _ in range(2)] == [200, 200]

    [arrival] = until(lambda: endpoint.arrivals)

    event = json.loads(arrival.body)
    assert signed_with(webhook.secret, arrival)
    assert event["event"] == arrival.headers["x-callmissed-event"] == "message.received"
    assert (event["data"]["message_id"], event["data"]["text"]) == ("wamid.D1", "Where is my order?")
    assert len(webhook.call("GET", "/deliveries").json()["data"]) == 1


@pytest.fixture
def _hasty_queue(local_stack: LocalStack) -> Iterator[None]:
    """Lets a failed callback come again at once, and not after three minutes."""
    sqs = local_client("sqs", local_stack.announcement["endpoints"]["aws"])
    url = f"{local_stack.announcement['endpoints']['queues']}/{physical_queue_name(STAGE, CALLBACKS.name)}"
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "0"})
    sqs.send_message(QueueUrl=url, MessageBody="{}")  # so the worker looks into the queue anew
    until(lambda: _visible(sqs, url) == 0)
    yield
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": str(CALLBACKS.visibility_seconds)})


@pytest.mark.usefixtures("_hasty_queue")
def test_a_callback_that_nothing_processes_is_a_dead_letter_which_can_be_sent_back(tenant: Tenant) -> None:
    local_stack, dead = tenant.local_stack, CALLBACKS.dead_letters
    command(
        local_stack,
        *("integrations", "set", "twilio", "--tenant", tenant.id),
        *("--account-sid", "AC0123", "--phone-number", "+14155550100"),
        TWILIO_AUTH_TOKEN=TOKEN,
    )
    signed = by_twilio(f"{local_stack.announcement['base_url']}{WEBHOOKS}/twilio/voice", call_form(CallSid="CA0D1"))
    assert callback(local_stack, "twilio/voice", *signed) == 200

    [letter] = until(lambda: letters(tenant))
    row = next(row for row in command(local_stack, "dlq", "list") if row["queue"] == dead)
    assert (row["source"], row["messages"] >= 1) == (CALLBACKS.name, True)
    moved = command(local_stack, "dlq", "redrive", dead, "--id", letter["id"])

    assert moved["moved"] == 1
    [again] = until(lambda: letters(tenant))  # nothing can process it yet
    assert json.loads(again["body"])["detail"] == json.loads(letter["body"])["detail"]


def _visible(sqs: Any, url: str) -> int:
    """How many messages wait in a queue."""
    name = "ApproximateNumberOfMessages"
    answer = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=[name])
    return int(answer["Attributes"][name])


def letters(tenant: Tenant) -> list[dict[str, Any]]:
    """The tenant's dead callbacks."""
    found = command(tenant.local_stack, "dlq", "show", CALLBACKS.dead_letters, "--limit", "100")
    return [letter for letter in found if json.loads(letter["body"])["detail"]["tenant"] == tenant.id]


def test_a_retry_survives_a_restart_of_the_local_stack(endpoint: Endpoint, tmp_path: Path) -> None:
    """Its next attempt waited in a queue, which the local stack forgets."""
    endpoint.status = 500
    with (
        running(tmp_path / "state", tmp_path / "first") as local_stack,
        client(local_stack, local_stack.announcement["live_key"]) as api,
    ):
        tenant = Tenant(local_stack, local_stack.announcement["tenant_id"], api)
        made = api.post(WEBHOOKS, json={"url": endpoint.url, "events": ["message.received"]}).json()
        event = tenant.emit()
        webhook = Webhook(api, made["id"], made["secret"])
        waiting = webhook.delivery(event, status="pending", attempts=1)
        local_stack.process.send_signal(signal.SIGINT)
        assert local_stack.process.wait(GUARD_SECONDS) == 0
    endpoint.status = 204
    with (
        running(tmp_path / "state", tmp_path / "second") as local_stack,
        client(local_stack, local_stack.announcement["live_key"]) as api,
    ):
        done = Webhook(api, made["id"], made["secret"]).delivery(event, status="delivered")
    assert done["id"] == waiting["id"] == endpoint.arrivals[-1].id
    assert done["attempts"] == len(endpoint.arrivals) >= 2


def test_owner_gets_a_mail_about_a_disabled_webhook(local_stack: LocalStack, endpoint: Endpoint) -> None:
    endpoint.status = 410
    with visiting(local_stack, "ada", "127.0.0.84") as owner:
        owner.register()
        made = owner.post("/webhooks", {"url": endpoint.url, "events": ["*"]})
        tenant_id = owner.get("/auth/me")["tenant"]["id"]
        command(local_stack, "events", "emit", "message.received", "--tenant", tenant_id)

        mail = until(lambda: next((mail for mail in owner.mails() if endpoint.url in mail["text"]), None))
        assert "410" in mail["text"]
        assert owner.get(f"/webhooks/{made['id']}")["disabled_reason"] == "gone"
