"""The smoke test of a deployed stage: every function does its work once, and no role refuses it."""

import asyncio
import hashlib
import hmac
import json
import secrets
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp

from callmissed.events.types import ApiKeyExpired, BudgetAlert, MessageReceived
from callmissed.integrations.credentials import WhatsAppCredentials
from callmissed.platform.queues.sources import OTHER_CALLBACKS
from local.state.seed import SeededTenant
from rehearsal.errors import SmokeError
from rehearsal.runtime.deployment import Deployment
from rehearsal.runtime.runtime_api import FunctionError
from rehearsal.runtime.web_adapter import WebEnvironment
from rehearsal.smoke.billing import buy_credits, check_credited
from rehearsal.smoke.bots import use_bots
from rehearsal.smoke.operator import SHOP, StageOperator, operating
from rehearsal.smoke.people import use_people
from rehearsal.smoke.prices import import_prices
from rehearsal.smoke.receiver import Receiver, receiving

CHAT = "/v1/chat/completions"
"""Path of a chat."""
_FILES = "/v1/files"
_WEBHOOKS = "/api/v1/webhooks"
_CALLBACK = "/api/v1/webhooks/whatsapp"
_WAIT_SECONDS = 45.0
_LONG_INPUTS = [secrets.token_hex(2_000) for _ in range(24)]
"""Their embeddings are too long for a table's item, also compressed, so they go to the bucket."""


async def smoke(deployment: Deployment) -> None:
    """Use the stage. Raises SmokeError with the first thing that failed, and every request that a role refused."""
    try:
        await _use(deployment)
    except SmokeError as error:
        raise SmokeError("\n".join([str(error), *_refusals(deployment)])) from None
    if refusals := _refusals(deployment):
        raise SmokeError("\n".join(refusals))
    if idle := [name for name, environment in deployment.environments.items() if not environment.calls]:
        raise SmokeError(f"never called: {', '.join(idle)}")


async def _use(deployment: Deployment) -> None:
    async with operating(deployment.engines) as operator, receiving() as receiver, aiohttp.ClientSession() as session:
        tenant = await operator.create_tenant()
        caller = ApiClient(session, deployment.url, tenant)
        operator.set_up_payments(deployment.cashfree)
        await operator.create_short_key(tenant.tenant)
        await _chat(caller)
        await _files(caller)
        await _die_in_a_call(caller, deployment)
        webhook = await _webhook(caller, receiver)
        await use_people(caller, deployment.outbox)
        await _events(caller, receiver, operator, webhook)
        await _other_callback(operator, deployment, tenant.tenant)
        await use_bots(caller, deployment.url, receiver, deployment.graph)
        order = await buy_credits(caller, deployment.cashfree)
        await import_prices(deployment.url)
        await _schedules(deployment)
        await check_credited(caller, order)
        await receiver.wait_for(ApiKeyExpired.event)
        await caller.call("DELETE", webhook, expected=204)


@dataclass(frozen=True, slots=True)
class ApiClient:
    """A client of the API with the tenant's key."""

    session: aiohttp.ClientSession
    url: str
    tenant: SeededTenant

    async def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        headers: Mapping[str, str] | None = None,
        expected: int = 200,
    ) -> str:
        """Text of the answer. Raises SmokeError for another status than `expected`."""
        key = {"Authorization": f"Bearer {self.tenant.live_key}"}
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        given = {"Content-Type": "application/json", **key, **(headers or {})}
        async with self.session.request(method, self.url + path, data=data, headers=given) as answer:
            text = await answer.text()
            if answer.status != expected:
                raise SmokeError(f"{method} {path} answers {answer.status} instead of {expected}: {text[:500]}")
            return text


def _refusals(deployment: Deployment) -> list[str]:
    return [f"refused by the role: {line}" for line in sorted(set(deployment.gate.refused))]


async def _chat(caller: ApiClient) -> None:
    await caller.call("GET", "/v1/models")
    await caller.call("OPTIONS", CHAT, headers={"Origin": f"https://{SHOP}"}, expected=204)
    await caller.call("OPTIONS", CHAT, headers={"Origin": "https://other.example"}, expected=403)
    await caller.call("POST", CHAT, asking("Hello"), headers={"Authorization": "Bearer cm_live_no"}, expected=401)
    answer = json.loads(await caller.call("POST", CHAT, asking("Hello")))
    if not answer["choices"][0]["message"]["content"]:
        raise SmokeError(f"POST {CHAT} has no text: {answer}")
    stream = await caller.call("POST", CHAT, asking("Hello") | {"stream": True})
    if not stream.rstrip().endswith("data: [DONE]"):
        raise SmokeError(f"the stream has no end: {stream[-200:]}")
    await _repeat(caller, CHAT, asking("Once"))
    await _repeat(caller, "/v1/embeddings", {"model": "text-embedding-3-small", "input": _LONG_INPUTS})


async def _files(caller: ApiClient) -> None:
    """Upload a file, read and delete it; announce another one, which never comes."""
    form = b'--x\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nbatch\r\n--x\r\n'
    form += b'Content-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\nHello\r\n--x--\r\n'
    form_type = {"Content-Type": "multipart/form-data; boundary=x"}
    uploaded = json.loads(await caller.call("POST", _FILES, form, headers=form_type))
    path = f"{_FILES}/{uploaded['id']}"
    if (content := await caller.call("GET", f"{path}/content")) != "Hello":
        raise SmokeError(f"the file has other bytes: {content[:80]!r}")
    await caller.call("DELETE", path)
    await caller.call("POST", _FILES, {"filename": "b.txt", "bytes": 5, "purpose": "batch"})
    listed = json.loads(await caller.call("GET", _FILES))["data"]
    if [file["status"] for file in listed] != ["pending"]:
        raise SmokeError(f"the files are not as they should be: {listed}")


async def _die_in_a_call(caller: ApiClient, deployment: Deployment) -> None:
    """End the process of the web app in the middle of a stream. The sweep finds the hold."""
    [inference] = [each for each in deployment.environments.values() if isinstance(each, WebEnvironment)]
    headers = {"Authorization": f"Bearer {caller.tenant.live_key}"}
    body = asking("sandbox:slow 1000") | {"stream": True}
    with suppress(aiohttp.ClientError):
        async with caller.session.post(caller.url + CHAT, json=body, headers=headers) as answer:
            await answer.content.readany()
            await inference.close()
            await answer.read()


async def _repeat(caller: ApiClient, path: str, body: Any) -> None:
    """Send a request twice with one Idempotency-Key. Raises SmokeError unless the answers are the same."""
    headers = {"Idempotency-Key": path, "Authorization": f"Bearer {caller.tenant.test_key}"}
    first, again = [await caller.call("POST", path, body, headers=headers) for _ in range(2)]
    if first != again:
        raise SmokeError(f"POST {path} with the Idempotency-Key of a call before got another answer")


def asking(text: str) -> dict[str, Any]:
    """The body of a chat."""
    return {"model": "sandbox", "messages": [{"role": "user", "content": text}]}


async def _webhook(caller: ApiClient, receiver: Receiver) -> str:
    """Id of a webhook at the receiver, which has been read, changed and tested."""
    await caller.call("GET", f"{_WEBHOOKS}/event-types")
    await caller.call("GET", _WEBHOOKS, headers={"Authorization": "Bearer cm_live_no"}, expected=401)
    wanted = {"url": receiver.url, "events": ["*"]}
    headers = {"Idempotency-Key": "webhook"}
    created = json.loads(await caller.call("POST", _WEBHOOKS, wanted, headers=headers, expected=201))
    receiver.secret = created["secret"]
    webhook = f"{_WEBHOOKS}/{created['id']}"
    await caller.call("PUT", webhook, {"events": ["*"], "description": "rehearsal"})
    await caller.call("GET", webhook)
    tested = json.loads(await caller.call("POST", f"{webhook}/test"))
    if not tested["success"]:
        raise SmokeError(f"the webhook's test failed: {tested}")
    return webhook


async def _events(caller: ApiClient, receiver: Receiver, operator: StageOperator, webhook: str) -> None:
    """An event, a provider's callback, and a replay, each the whole way to the receiver."""
    receiver.refuses = 1
    await operator.publish(caller.tenant.tenant, BudgetAlert)
    await receiver.wait_for(BudgetAlert.event)
    await _callback(caller, operator.whatsapp)
    await receiver.wait_for(MessageReceived.event)
    deliveries = json.loads(await caller.call("GET", f"{webhook}/deliveries"))["data"]
    delivery = next(each for each in deliveries if each["event"] == MessageReceived.event)
    await caller.call("GET", f"{webhook}/deliveries/{delivery['id']}")
    await caller.call("POST", f"{webhook}/deliveries/{delivery['id']}/replay", expected=202)
    await receiver.wait_for(MessageReceived.event, times=2)
    started = json.loads(await caller.call("POST", f"{webhook}/replays", {"since": _an_hour_ago()}, expected=202))
    await receiver.wait_for(MessageReceived.event, times=3)
    await caller.call("GET", f"{webhook}/replays/{started['id']}")
    await caller.call("POST", f"{webhook}/rotate")


def _an_hour_ago() -> str:
    return (datetime.now(UTC) - timedelta(hours=1)).isoformat()


async def _callback(caller: ApiClient, number: WhatsAppCredentials) -> None:
    """A message as Meta sends it, first without its signature."""
    value = {
        "messaging_product": "whatsapp",
        "metadata": {"display_phone_number": "15550100", "phone_number_id": number.phone_number_id},
        "messages": [
            {
                "from": "919876543210",
                "id": "wamid.rehearsal",
                "timestamp": str(int(datetime.now(UTC).timestamp())),
                "type": "text",
                "text": {"body": "Where is my order?"},
            }
        ],
    }
    entry = [{"id": "WABA-1", "changes": [{"field": "messages", "value": value}]}]
    body = json.dumps({"object": "whatsapp_business_account", "entry": entry}).encode()
    digest = hmac.new(number.app_secret.encode(), body, hashlib.sha256).hexdigest()
    await caller.call("POST", _CALLBACK, body, headers={"X-Hub-Signature-256": "sha256=00"}, expected=401)
    await caller.call("POST", _CALLBACK, body, headers={"X-Hub-Signature-256": f"sha256={digest}"})


async def _other_callback(operator: StageOperator, deployment: Deployment, tenant: str) -> None:
    """A callback of a provider that has no queue of its own. Raises SmokeError if its worker is not called."""
    worker = next(each for name, each in deployment.environments.items() if name.endswith("-callback-worker"))
    await operator.store_callback(tenant, OTHER_CALLBACKS[0])
    try:
        async with asyncio.timeout(_WAIT_SECONDS):
            while not worker.calls:  # noqa: ASYNC110  it counts, and says nothing
                await asyncio.sleep(0.1)
    except TimeoutError:
        raise SmokeError("callback-worker was not called") from None


async def _schedules(deployment: Deployment) -> None:
    """Run each as of an hour from now, when the hold of a call that died has expired."""
    at = (datetime.now(UTC) + timedelta(hours=1)).replace(microsecond=0).isoformat().replace("+00:00", "Z")
    for schedule in deployment.plan.of("AWS::Scheduler::Schedule"):
        try:
            await deployment.run_schedule(schedule, at)
        except FunctionError as error:
            raise SmokeError(f"schedule {schedule.name}: {error.kind}: {error}") from error
