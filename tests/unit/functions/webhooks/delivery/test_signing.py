"""Signatures: published vectors, and what holds for every secret and body."""

import base64
import hashlib
import hmac
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook

from functions.webhooks.delivery.signing import headers, new_secret

# The example that the specification's own libraries hold themselves to:
# https://github.com/standard-webhooks/standard-webhooks/blob/main/libraries/go/webhook_symmetric_test.go
PUBLISHED_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
PUBLISHED_ID = "msg_p5jXN8AQM9LWM0D4loKWxJek"
PUBLISHED_MOMENT = 1614265330
PUBLISHED_BODY = b'{"test": 2432232314}'
PUBLISHED_SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="

OTHER_SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()

secret_texts = st.binary(min_size=24, max_size=64).map(lambda key: "whsec_" + base64.b64encode(key).decode())
new_secret_texts = st.binary(min_size=32, max_size=32).map(lambda key: "whsec_" + base64.b64encode(key).decode())
ids = st.from_regex(r"dlv_[0-9A-HJKMNP-TV-Z]{22}", fullmatch=True)
moments = st.integers(0, 2**33)


def sign(*secrets: str) -> dict[str, str]:
    return headers(secrets, PUBLISHED_ID, "test", PUBLISHED_BODY, PUBLISHED_MOMENT)


def test_the_specifications_example() -> None:
    assert sign(PUBLISHED_SECRET)["webhook-signature"] == PUBLISHED_SIGNATURE


def test_every_header_of_an_attempt() -> None:
    assert sign(PUBLISHED_SECRET) == {
        "Content-Type": "application/json",
        "User-Agent": "CallMissed-Webhooks/1",
        "webhook-id": PUBLISHED_ID,
        "webhook-timestamp": "1614265330",
        "webhook-signature": PUBLISHED_SIGNATURE,
        "X-CallMissed-Event": "test",
        "X-CallMissed-Delivery": PUBLISHED_ID,
        # printf '%s' '{"test": 2432232314}' | openssl dgst -sha256 -hmac whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw
        "X-CallMissed-Signature": "sha256=80ec8a89ce3cd22133a1066caecb4d04fea7467657c8514d717ec42c38a5c94c",
    }


def test_two_live_secrets_sign_newest_first() -> None:
    both, newer, older = sign(OTHER_SECRET, PUBLISHED_SECRET), sign(OTHER_SECRET), sign(PUBLISHED_SECRET)

    assert both["webhook-signature"] == f"{newer['webhook-signature']} {older['webhook-signature']}"
    assert both["X-CallMissed-Signature"] == f"{newer['X-CallMissed-Signature']},{older['X-CallMissed-Signature']}"


def test_a_later_attempt_differs_in_its_moment_alone() -> None:
    first = sign(PUBLISHED_SECRET)
    later = headers([PUBLISHED_SECRET], PUBLISHED_ID, "test", PUBLISHED_BODY, PUBLISHED_MOMENT + 5)

    assert {name for name in first if first[name] != later[name]} == {"webhook-timestamp", "webhook-signature"}


@given(secrets=st.lists(secret_texts, min_size=1, max_size=3), id=ids, body=st.text(), moment=moments)
def test_signs_as_the_official_library_does(secrets: list[str], id: str, body: str, moment: int) -> None:
    made = headers(secrets, id, "message.received", body.encode(), moment)

    theirs = [Webhook(secret).sign(id, datetime.fromtimestamp(moment, UTC), body) for secret in secrets]
    assert made["webhook-signature"].split(" ") == theirs


@given(secrets=st.lists(secret_texts, min_size=1, max_size=3), body=st.binary())
def test_the_simple_signature_is_the_body_under_the_secrets_text(secrets: list[str], body: bytes) -> None:
    made = headers(secrets, PUBLISHED_ID, "test", body, 1)["X-CallMissed-Signature"]

    digests = [hmac.new(secret.encode(), body, hashlib.sha256).hexdigest() for secret in secrets]
    assert made.split(",") == [f"sha256={digest}" for digest in digests]


@given(secret=new_secret_texts, other=new_secret_texts, body=st.binary())
def test_signatures_distinguish_secrets(secret: str, other: str, body: bytes) -> None:
    one, two = (headers([text], "dlv_1", "test", body, 1) for text in (secret, other))

    assert (one["webhook-signature"] == two["webhook-signature"]) == (secret == other)
    assert (one["X-CallMissed-Signature"] == two["X-CallMissed-Signature"]) == (secret == other)


@given(body=st.binary(min_size=1), position=st.integers(0), bit=st.integers(0, 7))
def test_every_bit_of_the_body_counts(body: bytes, position: int, bit: int) -> None:
    changed = bytearray(body)
    changed[position % len(body)] ^= 1 << bit

    one, two = (headers([OTHER_SECRET], "dlv_1", "test", content, 1) for content in (body, bytes(changed)))

    assert one["webhook-signature"] != two["webhook-signature"]
    assert one["X-CallMissed-Signature"] != two["X-CallMissed-Signature"]


def test_a_new_secret_is_256_bits_that_nobody_had_before() -> None:
    secrets = {new_secret() for _ in range(100)}

    assert len(secrets) == 100
    assert all(len(base64.b64decode(secret.removeprefix("whsec_"), validate=True)) == 32 for secret in secrets)
    assert all(Webhook(secret) and sign(secret) for secret in secrets)


@pytest.mark.parametrize(
    "secret",
    [
        "",
        "whsec_",
        "whsec_c2hvcnQ=",  # 5 bytes
        "whsec_" + base64.b64encode(bytes(23)).decode(),
        "whsec_" + base64.b64encode(bytes(65)).decode(),
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLa",  # cut
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS-",  # URL-safe alphabet
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n",
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSé",
        "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "whsk_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "gAAAAABsealed",
    ],
)
@pytest.mark.parametrize("among", [(), (OTHER_SECRET,)])
def test_a_malformed_secret_is_refused_and_not_shown(secret: str, among: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="a webhook's secret is") as refused:
        sign(*among, secret)

    assert "MfKQ" not in str(refused.value)


def test_without_a_secret_nothing_is_signed() -> None:
    with pytest.raises(ValueError, match="at least one live secret"):
        sign()
