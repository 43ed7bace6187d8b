"""Bodies that no client of good will sends: refused in the platform's words, never a failure of ours."""

import pytest

from tests.support.webhooks.subscribers import Tenant

JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize("body", [b'{"url":"\xff"}', b"[" * 100_000, b"\xff\xfe{"], ids=["latin-1", "deep", "utf-16"])
async def test_what_can_not_be_parsed_is_a_bad_request(tenant: Tenant, body: bytes) -> None:
    answer = await tenant.client.post("/api/v1/webhooks", content=body, headers=JSON)

    assert answer.status_code in (400, 422), answer.text
    assert answer.json()["error"]["code"] == "invalid_request_error"
    assert "no such route" not in answer.text


@pytest.mark.parametrize(
    "body",
    [
        b'{"\\ud800":1}',
        b'{"url":"https://example.com/\\ud800"}',
        b'{"url":"https://example.com/","events":["\\ud800"]}',
        b'{"url":"https://example.com/","description":"\\ud800"}',
        b'{"url":"https://example.com/","headers":{"\\ud800":"x"}}',
        b'{"url":"https://example.com/","headers":{"X-A":"\\ud800"}}',
    ],
)
async def test_half_a_surrogate_pair_is_refused(tenant: Tenant, body: bytes) -> None:
    answer = await tenant.client.post("/api/v1/webhooks", content=body, headers=JSON)

    assert answer.status_code in (400, 422), answer.text
    assert answer.json()["error"]["code"] == "invalid_request_error"
