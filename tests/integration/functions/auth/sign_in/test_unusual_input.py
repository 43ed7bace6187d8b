"""No text that a caller can send breaks a public route."""

import base64
import json
from typing import Any

import pytest

from callmissed.aws.secrets import account_environment
from local.aws.tables import StageTables
from tests.support.sign_in import SettableClock, SignInPages, new_address, settings_of
from tests.support.whole_product import WholeProduct

UNUSUAL = [
    "\0",
    "\ud800",
    "\u202e",
    "a" * 72,
    "\U0010ffff",
    " ",
    "\uff46\uff55\uff4c\uff4c",
    "\U0001d7d7" * 6,
    "'; --",
    "{{ 7*7 }}",
    "%00",
    "\r\nBcc: a@b.example",
]
ADDRESSES = [
    *UNUSUAL,
    "a@b",
    "@",
    "a@@b.example",
    "a@[127.0.0.1]",
    "a@-b.example",
    "a@" + "b" * 64 + ".example",
    '"a b"@c.example',
]
FORMS: dict[str, dict[str, Any]] = {
    "register": {"email": "", "password": "password", "full_name": "Ada", "phone_number": ""},
    "register/verify": {"email": "", "code": "123456"},
    "login": {"email": "", "password": "password"},
    "otp/send": {"email": "", "purpose": "login"},
    "otp/login": {"email": "", "code": "123456"},
    "reset-password": {"email": "", "code": "123456", "new_password": "password"},
    "google": {"id_token": "x" * 10},
    "refresh": {"refresh_token": "cmr_" + "x" * 10},
    "logout": {"refresh_token": "cmr_" + "x" * 10},
}


@pytest.mark.parametrize("path", FORMS)
async def test_unusual_text_is_answered(pages: SignInPages, path: str) -> None:
    form = {name: value or (new_address() if name == "email" else value) for name, value in FORMS[path].items()}
    found: dict[tuple[str, str], int] = {}
    for name in form:
        for text in ADDRESSES if name == "email" else UNUSUAL:
            reply = await pages.post(path, {**form, name: text})
            found[name, text] = reply.status
    assert {key: status for key, status in found.items() if status not in (200, 400, 401, 422, 503)} == {}


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"null", b"{", b'{"email": 1}', b'{"email": {"a": []}}', b"\xff\xfe", b'"x"']
)
async def test_body_that_is_no_form_is_refused(pages: SignInPages, body: bytes) -> None:
    for path in FORMS:
        reply = await pages.send(path, body)
        assert reply.status in (400, 422), (path, reply.status)


TOKENS = [
    "aaaa.bbbb.cccc",
    "..........",
    "é" * 20,
    f"{base64.urlsafe_b64encode(json.dumps({'alg': 'RS256', 'kid': 7}).encode()).decode()}.e30.AAAA",
    f"{base64.urlsafe_b64encode(json.dumps({'alg': 'RS256', 'kid': 'one', 'crit': ['x']}).encode()).decode()}.e30.AAAA",
    f"{base64.urlsafe_b64encode(b'[]').decode()}.e30.AAAA",
]


async def test_text_that_is_no_token_of_google_is_refused(module_tables: StageTables) -> None:
    account_environment.cache_clear()
    settings = settings_of(module_tables, google_client_ids="ours", google_certificates_url="http://127.0.0.1:9/certs")
    product = WholeProduct(settings, SettableClock())
    pages = SignInPages(product, SettableClock())
    statuses = {(await pages.post("google", {"id_token": token})).status for token in TOKENS}
    await product.close()
    assert statuses <= {401, 503}
