"""Operators' signatures: those of botocore pass, and no other request does."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from callmissed.clock import SECOND, Micros
from callmissed.errors import ApiError
from local.api_gateway.events import HttpRequest
from local.api_gateway.sigv4 import OPERATOR_ARN, verifier
from tests.support.operators import Operator
from tests.support.whole_product import OPERATOR_SECRET, Sent

NOW = datetime(2026, 11, 27, 12, 0, 0, tzinfo=UTC)
PATH = "/api/v1/admin/tenants"
BODY = {"name": "Acme", "reason": "new customer"}
OPERATOR = Operator(at=NOW)
VERIFY = verifier(OPERATOR_SECRET, lambda: Micros(int(NOW.timestamp()) * SECOND))


def request_of(sent: Sent) -> HttpRequest:
    headers = [*sent.headers, ("X-Forwarded-For", "127.0.0.1")]
    return HttpRequest(sent.method, sent.path, PATH, query=sent.query, headers=headers, body=sent.body)


def refusal(request: HttpRequest) -> tuple[int, str]:
    with pytest.raises(ApiError) as refused:
        VERIFY(request)
    return refused.value.status, refused.value.code


def with_header(request: HttpRequest, name: str, value: str) -> HttpRequest:
    others = [header for header in request.headers if header[0].lower() != name.lower()]
    return replace(request, headers=[*others, (name, value)])


@pytest.mark.parametrize(
    "sent",
    [
        OPERATOR.signed("POST", PATH, BODY),
        OPERATOR.signed("GET", f"{PATH}/tnt_1%2F..%20b/x", query="b=2&a=1&a=%20"),
        OPERATOR.signed("PUT", PATH, BODY, headers={"X-Amz-Meta": "  two   words "}),
        replace(OPERATOR, at=NOW - timedelta(seconds=300)).signed("POST", PATH, BODY),
        replace(OPERATOR, at=NOW + timedelta(seconds=300)).signed("POST", PATH, BODY),
    ],
    ids=["body", "path and query", "another header", "early", "late"],
)
def test_signature_of_botocore_is_accepted(sent: Sent) -> None:
    assert VERIFY(request_of(sent)) == OPERATOR_ARN


def test_headers_that_were_not_signed_do_not_matter() -> None:
    request = request_of(OPERATOR.signed("POST", PATH, BODY))

    assert VERIFY(with_header(request, "User-Agent", "another")) == OPERATOR_ARN


def test_unsigned_request_meets_no_route() -> None:
    assert refusal(HttpRequest("POST", PATH, PATH)) == (404, "not_found")


@pytest.mark.parametrize("header", ["Bearer x", "", "AWS4-HMAC-SHA256 Credential=a/b", "AWS4-HMAC-SHA256 " + "a=" * 99])
def test_other_schemes_are_refused(header: str) -> None:
    assert refusal(HttpRequest("POST", PATH, PATH, headers=[("Authorization", header)]))[0] == 403


@pytest.mark.parametrize(
    "operator",
    [
        replace(OPERATOR, secret="wrong"),
        replace(OPERATOR, access_key="AKIAOTHER"),
        replace(OPERATOR, region="eu-west-1"),
        replace(OPERATOR, service="dynamodb"),
        replace(OPERATOR, at=NOW - timedelta(seconds=301)),
        replace(OPERATOR, at=NOW + timedelta(seconds=301)),
    ],
    ids=["secret", "access key", "region", "service", "too old", "too new"],
)
def test_wrong_signer_is_refused(operator: Operator) -> None:
    assert refusal(request_of(operator.signed("POST", PATH, BODY))) == (403, "permission_denied")


SIGNED = request_of(OPERATOR.signed("POST", PATH, BODY, query="a=1"))


@pytest.mark.parametrize(
    "request_",
    [
        replace(SIGNED, body=b"{}"),
        replace(SIGNED, method="PUT"),
        replace(SIGNED, path=f"{PATH}/tnt_1"),
        replace(SIGNED, query="a=2"),
        replace(SIGNED, query="a=1&b=2"),
        with_header(SIGNED, "Host", "other.example.com"),
        with_header(SIGNED, "X-Amz-Date", "20261127T120001Z"),
        with_header(SIGNED, "X-Amz-Date", "now"),
        with_header(SIGNED, "Content-Type", "text/plain"),
        replace(SIGNED, headers=[header for header in SIGNED.headers if header[0] != "X-Amz-Date"]),
        replace(SIGNED, headers=[*SIGNED.headers, ("X-Amz-Date", "20261127T120000Z")]),
    ],
    ids=[
        *("body", "method", "path", "query", "longer query", "host", "date", "no date", "content type"),
        *("header missing", "header twice"),
    ],
)
def test_changed_request_is_refused(request_: HttpRequest) -> None:
    assert refusal(request_) == (403, "permission_denied")


def test_every_bit_of_the_signature_counts() -> None:
    header = dict(SIGNED.headers)["Authorization"]
    for place in (-1, -64):
        letter = "0" if header[place] != "0" else "1"
        changed = header[:place] + letter + (header[place + 1 :] if place != -1 else "")
        assert refusal(with_header(SIGNED, "Authorization", changed)) == (403, "permission_denied")


@pytest.mark.parametrize("claimed", ["UNSIGNED-PAYLOAD", "0" * 64])
def test_signed_hash_must_be_that_of_the_body(claimed: str) -> None:
    sent = OPERATOR.signed("POST", PATH, BODY, headers={"X-Amz-Content-SHA256": claimed})

    assert refusal(request_of(sent)) == (403, "permission_denied")


def test_host_and_date_must_be_signed() -> None:
    header = dict(SIGNED.headers)["Authorization"]
    for name in ("host", "x-amz-date"):
        without = header.replace(f";{name}", "").replace(f"{name};", "")
        assert without != header
        assert refusal(with_header(SIGNED, "Authorization", without)) == (403, "permission_denied")
