"""Rotating a webhook's secret."""

import asyncio
from typing import Any

import pytest

from callmissed.clock import MINUTE
from functions.webhooks.storage.records import Endpoint, Webhook
from functions.webhooks.storage.webhooks import WebhookRepository
from tests.support.webhooks.subscribers import NOW, Tenant, WebhooksApi, refused

HOUR = 60 * MINUTE


async def rotated(tenant: Tenant, webhook: dict[str, Any], *, operation: str | None = None, **body: Any) -> str:
    """The new secret, which is shown in full once."""
    answer = await tenant.call("POST", f"/{webhook['id']}/rotate", operation=operation, json=body)
    assert answer.status_code == 200, answer.text
    secret = answer.json()["secret"]
    masked = (await tenant.call("GET", f"/{webhook['id']}")).json()["secret"]
    assert masked == f"{secret[:4]}****{secret[-4:]}"
    assert len(secret) > len(masked)
    return secret


async def live(webhooks_api: WebhooksApi, tenant: Tenant, webhook: dict[str, Any]) -> list[tuple[str, int | None]]:
    """Secrets as the sender finds them."""
    secrets = (await webhooks_api.webhook(tenant.endpoint(webhook)))["secrets"]
    return [(webhooks_api.sealer.unseal(sealed), until) for sealed, until in secrets]


async def test_the_old_secret_signs_until_the_overlap_ends(webhooks_api: WebhooksApi, tenant: Tenant) -> None:
    webhook = await tenant.webhook()

    secret = await rotated(tenant, webhook, overlap_hours=2)

    assert secret != webhook["secret"]
    assert await live(webhooks_api, tenant, webhook) == [(secret, None), (webhook["secret"], NOW + 2 * HOUR)]


async def test_the_overlap_is_a_day_unless_it_is_said(webhooks_api: WebhooksApi, tenant: Tenant) -> None:
    webhook = await tenant.webhook()

    answer = await tenant.call("POST", f"/{webhook['id']}/rotate")

    assert answer.status_code == 200
    assert (await live(webhooks_api, tenant, webhook))[1] == (webhook["secret"], NOW + 24 * HOUR)


async def test_without_an_overlap_the_old_secret_ends_at_once(webhooks_api: WebhooksApi, tenant: Tenant) -> None:
    webhook = await tenant.webhook()

    secret = await rotated(tenant, webhook, overlap_hours=0)

    assert await live(webhooks_api, tenant, webhook) == [(secret, None)]


async def test_at_most_two_secrets_are_live(webhooks_api: WebhooksApi, tenant: Tenant) -> None:
    webhook = await tenant.webhook()

    second = await rotated(tenant, webhook)
    webhooks_api.clock.now += HOUR
    third = await rotated(tenant, webhook)

    assert await live(webhooks_api, tenant, webhook) == [(third, None), (second, NOW + 25 * HOUR)]


async def test_a_repeated_rotation_rotates_once(webhooks_api: WebhooksApi, tenant: Tenant) -> None:
    webhook = await tenant.webhook()

    first = await rotated(tenant, webhook, operation="op_1")
    again = await rotated(tenant, webhook, operation="op_1")

    assert first == again
    assert [secret for secret, _ in await live(webhooks_api, tenant, webhook)] == [first, webhook["secret"]]
    assert await rotated(tenant, webhook, operation="op_2") != first


async def test_rotations_at_the_same_time_follow_each_other(
    webhooks_api: WebhooksApi, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    webhook = await tenant.webhook()
    path = f"/{webhook['id']}/rotate"
    all_have_read, reads = asyncio.Barrier(3), 0

    get = WebhookRepository.get

    async def read_together(webhooks: WebhookRepository, endpoint: Endpoint) -> Webhook | None:
        nonlocal reads
        reads += 1
        first, found = reads <= 3, await get(webhooks, endpoint)
        if first:
            await all_have_read.wait()
        return found

    monkeypatch.setattr(WebhookRepository, "get", read_together)

    answers = await asyncio.gather(*(tenant.call("POST", path) for _ in range(3)))

    assert [answer.status_code for answer in answers] == [200] * 3
    shown = {answer.json()["secret"] for answer in answers}
    assert len(shown) == 3
    assert reads > 3
    assert len(signing := {secret for secret, _ in await live(webhooks_api, tenant, webhook)}) == 2
    assert signing < shown


@pytest.mark.parametrize("hours", [-1, 25, 1.5, "a day"])
async def test_an_overlap_that_cannot_be(webhooks_api: WebhooksApi, tenant: Tenant, hours: Any) -> None:
    webhook = await tenant.webhook()

    answer = await tenant.call("POST", f"/{webhook['id']}/rotate", json={"overlap_hours": hours})

    assert refused(answer, 422, "invalid_request_error")["details"][0]["loc"] == ["body", "overlap_hours"]
    assert await live(webhooks_api, tenant, webhook) == [(webhook["secret"], None)]
