"""One attempt over a real socket: what the endpoint gets, and what is made of its answer."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from standardwebhooks import Webhook as Verifier

from callmissed.clock import SECOND, system_clock
from callmissed.http.client import SafeClient
from callmissed.sealing import Sealer
from functions.webhooks.delivery.attempts import KEPT_BYTES, AttemptOutcome, Attempts
from functions.webhooks.delivery.signing import new_secret
from functions.webhooks.storage import records
from functions.webhooks.storage.records import SigningSecret, Webhook
from tests.support.http.endpoint import Behaviour, Endpoint, serving

SEALER = Sealer((b"a sealing key of some length....",))
BODY = '{"id":"evt_1","event":"credits.low"}'


def answering(answer: bytes) -> Any:
    """Answers every request with these bytes."""

    def behaviour(endpoint: Endpoint) -> Behaviour:
        async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await endpoint.request(reader)
            writer.write(answer)
            await writer.drain()

        return behave

    return behaviour


def answer_of(status: str, body: bytes = b"", *headers: str) -> bytes:
    head = "\r\n".join([f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers])
    return head.encode() + b"\r\n\r\n" + body


@pytest_asyncio.fixture
async def attempts() -> AsyncIterator[Attempts]:
    client = SafeClient(allow_loopback=True)
    yield Attempts(client, SEALER, system_clock)
    await client.close()


async def attempt(attempts: Attempts, url: str, **webhook: Any) -> AttemptOutcome:
    now = system_clock()
    known: dict[str, Any] = {"secrets": [SigningSecret(SEALER.seal(new_secret()))], **webhook}
    record = Webhook(
        endpoint=records.Endpoint("tnt_1", "wh_1"), url=url, events=["*"], created_at=now, updated_at=now, **known
    )
    return await attempts.make(record, delivery_id="dlv_1", event_type="credits.low", body=BODY, now=now)


async def test_an_endpoint_gets_the_event_signed_by_every_live_secret(attempts: Attempts) -> None:
    now = system_clock()
    new, old, over = new_secret(), new_secret(), new_secret()
    secrets = [
        SigningSecret(SEALER.seal(new)),
        SigningSecret(SEALER.seal(old), now + 60 * SECOND),
        SigningSecret(SEALER.seal(over), now - 1),
    ]
    own = {"Authorization": SEALER.seal("Bearer t0ken"), "X-Env": SEALER.seal("test")}

    async with serving(answering(answer_of("204 No Content"))) as endpoint:
        url = endpoint.url("127.0.0.1", "/hooks", "http")
        outcome = await attempt(attempts, url, secrets=secrets, headers=own)

    [request] = endpoint.requests
    head, _, body = request.partition(b"\r\n\r\n")
    line, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    assert (line, body.decode()) == ("POST /hooks HTTP/1.1", BODY)
    assert (headers["authorization"], headers["x-env"]) == ("Bearer t0ken", "test")
    for secret in (new, old):
        Verifier(secret).verify(body, headers)
    assert len(headers["webhook-signature"].split()) == len(headers["x-callmissed-signature"].split(",")) == 2
    assert (outcome.status, outcome.delivered, outcome.error) == (204, True, None)


@pytest.mark.parametrize(
    ("status", "delivered", "gone"),
    [
        ("200 OK", True, False),
        ("299 Fine", True, False),
        ("302 Found", False, False),
        ("410 Gone", False, True),
        ("500 Oh", False, False),
    ],
)
async def test_only_2xx_is_success(attempts: Attempts, status: str, delivered: bool, gone: bool) -> None:
    async with serving(answering(answer_of(status, b"no", "Location: http://127.0.0.1:1/"))) as endpoint:
        outcome = await attempt(attempts, endpoint.url("127.0.0.1", scheme="http"))

    assert (outcome.delivered, outcome.gone, outcome.answer) == (delivered, gone, b"no")
    assert outcome.error is None or status[:3] in outcome.error
    assert endpoint.connections == 1


@pytest.mark.parametrize(("status", "wait"), [("503 Busy", 77), ("429 Slow", 77), ("500 Oh", None)])
async def test_only_429_and_503_ask_for_time(attempts: Attempts, status: str, wait: int | None) -> None:
    async with serving(answering(answer_of(status, b"", "Retry-After: 77"))) as endpoint:
        outcome = await attempt(attempts, endpoint.url("127.0.0.1", scheme="http"))

    assert outcome.wait == wait


async def test_the_first_20_kilobytes_of_an_answer_are_kept(attempts: Attempts) -> None:
    async with serving(answering(answer_of("500 Oh", b"x" * (KEPT_BYTES + 1)))) as endpoint:
        outcome = await attempt(attempts, endpoint.url("127.0.0.1", scheme="http"))

    assert (outcome.answer, outcome.truncated) == (b"x" * KEPT_BYTES, True)


@pytest.mark.parametrize(
    "url", ["https://169.254.169.254/latest/meta-data", "http://example.com/", "https://10.0.0.1/"]
)
async def test_what_is_not_public_is_refused_also_at_the_attempt(attempts: Attempts, url: str) -> None:
    outcome = await attempt(attempts, url)

    assert (outcome.status, outcome.delivered) == (None, False)
    assert outcome.error
    assert "169" not in outcome.error


async def test_nobody_there_is_a_failed_attempt(attempts: Attempts) -> None:
    async with serving(answering(b"")) as endpoint:
        url = endpoint.url("127.0.0.1", scheme="http")

    outcome = await attempt(attempts, url)

    assert (outcome.status, outcome.error) == (None, "The endpoint accepts no connection.")


async def test_secrets_that_can_t_be_unsealed_send_nothing(attempts: Attempts) -> None:
    foreign = Sealer((b"another sealing key of length...",)).seal(new_secret())

    async with serving(answering(answer_of("204 No Content"))) as endpoint:
        outcome = await attempt(attempts, endpoint.url("127.0.0.1", scheme="http"), secrets=[SigningSecret(foreign)])

    assert (outcome.status, outcome.error) == (None, "The webhook's secrets can't be read at the moment.")
    assert endpoint.requests == []
