"""Successes of an upstream that are none, at the wire: one of each service, and none of them is paid for."""

import gzip
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import httpx2
import pytest

from tests.support.inference.behaviours import HEARD, PAGES, SECRET_TEXT, WAV, ordinary, says, vectors
from tests.support.inference.gateway import Accounts
from tests.support.inference.image_objects import images_reply, png
from tests.support.inference.upstream import FakeUpstream
from tests.support.inference.wire import draw, embed, refused, search, speak, transcribe

Call = Callable[..., Awaitable[httpx2.Response]]
SERVICES: Mapping[str, tuple[Call, Mapping[str, Any], Any]] = {
    "embedding": (embed, {}, vectors(2)),
    "image": (draw, {"n": 2}, images_reply(png(), png(1))),
    "search": (search, {"provider": "serper"}, PAGES),
    "stt": (transcribe, {}, HEARD),
    "tts": (speak, {}, WAV),
}
ODD = {
    "page": says(f"<!DOCTYPE html><html>{SECRET_TEXT}</html>".encode()),
    "nothing": says(b"", "application/json"),
    "JSON": says(json.dumps({"message": SECRET_TEXT}).encode(), "application/json"),
    "packed bytes that are not": says(b"{}" * 50, "application/json", headers={"Content-Encoding": "gzip"}),
}


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("service", SERVICES)
async def test_success_without_a_result_costs_nothing(
    client: httpx2.AsyncClient,
    accounts: Accounts,
    upstream: FakeUpstream,
    monkeypatch: pytest.MonkeyPatch,
    service: str,
    odd: str,
) -> None:
    account, (call, fields, _) = await accounts.account(), SERVICES[service]
    monkeypatch.setattr(upstream, "otherwise", ODD[odd])

    response = await call(client, account, **fields)

    assert response.status_code in (502, 503)
    refused(response, response.status_code, "upstream_error" if response.status_code == 502 else "provider_error")
    assert await accounts.assert_balanced(account) == 0


@pytest.mark.parametrize("service", SERVICES)
async def test_type_and_packing_of_a_reply_are_its_senders_affair(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream, service: str
) -> None:
    account, (call, fields, reply) = await accounts.account(), SERVICES[service]
    body = reply if isinstance(reply, bytes) else json.dumps(reply).encode()
    packed = says(gzip.compress(body, mtime=0), "text/html", headers={"Content-Encoding": "gzip"})
    upstream.will(packed, ordinary)

    odd = await call(client, account, **fields)
    plain = await call(client, account, **fields)

    assert odd.status_code == plain.status_code == 200, odd.text
    assert odd.headers["content-type"] == plain.headers["content-type"]
    assert len(upstream.requests) == 2
    assert await accounts.assert_balanced(account) > 0


@pytest.mark.parametrize("path", ["/v1/audio/intelligence", "/v1/text/intelligence", "/v1/messages/batches"])
async def test_endpoint_that_is_not_served_is_not_found(
    client: httpx2.AsyncClient, accounts: Accounts, path: str
) -> None:
    account = await accounts.account()

    response = await client.post(path, json={"model": "lab-chat"}, headers=account.headers)

    assert (response.status_code, response.headers["content-type"]) == (404, "application/json"), response.text
    await accounts.assert_untouched(account)
