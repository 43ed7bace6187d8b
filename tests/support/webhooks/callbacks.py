"""Providers that call us: their bodies, their signatures, and their requests as API Gateway passes them on."""

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from starlette.datastructures import ImmutableMultiDict
from starlette.types import ASGIApp
from twilio.request_validator import RequestValidator

from callmissed.aws.attributes import Item
from callmissed.aws.database import Database
from callmissed.aws.dynamodb import DynamoDB
from callmissed.clock import SECOND, Micros
from callmissed.ids import new_id
from callmissed.integrations.credentials import Credentials, TwilioCredentials, WhatsAppCredentials
from callmissed.integrations.repository import Integrations
from callmissed.platform.tables import OUTBOX
from callmissed.sealing import Sealer
from callmissed.settings import CoreSettings
from callmissed.web.request_context import RequestContextMiddleware
from functions.webhooks.handlers.callbacks_api import create_app
from tests.support.billing.gateway_account import SECRET_KEY
from tests.support.lambda_events import answer_event

NOW = Micros(1_795_600_000 * SECOND)
SEALING = "5e" * 32
WHATSAPP = "/api/v1/webhooks/whatsapp"
VOICE = "/api/v1/webhooks/twilio/voice"
STATUS = "/api/v1/webhooks/twilio/status"
CASHFREE = "/api/v1/payments/webhook"
CASHFREE_SECRET = SECRET_KEY
DOMAIN = "a1b2c3.execute-api.ap-south-1.amazonaws.com"
APP_SECRET = "0f5c1b2a3d4e5f60718293a4b5c6d7e8"
TOKEN = "12345678901234567890123456789012"


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def code(self) -> str:
        return json.loads(self.text)["error"]["code"]


@dataclass
class CallbacksApi:
    """The function `callbacks` on real tables, at a moment of the test's choice."""

    dynamodb: DynamoDB
    name: str
    public_url: str = ""
    now: int = NOW
    _app: ASGIApp | None = field(default=None, init=False)

    @property
    def database(self) -> Database:
        return Database(self.dynamodb, self.name)

    @property
    def app(self) -> ASGIApp:
        if self._app is None:
            settings = CoreSettings(stage=self.name, sealing_keys=SEALING, public_url=self.public_url)
            self._app = RequestContextMiddleware(create_app(settings, self.database, lambda: Micros(self.now)))
        return self._app

    async def call(
        self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None, **more: Any
    ) -> Answer:
        event = proxy_event(method, path, body, headers or {}, **more)
        answer = await answer_event(self.app, event)
        return Answer(answer["statusCode"], answer["headers"], _text(answer))

    async def post(self, path: str, body: bytes, headers: Mapping[str, str], **more: Any) -> Answer:
        return await self.call("POST", path, body, headers, **more)

    async def save(self, credentials: Credentials, tenant: str | None = None) -> str:
        """Connect a tenant; returns its id."""
        tenant = tenant or new_id("tnt")
        await Integrations(self.database).save(tenant, credentials, Sealer((bytes.fromhex(SEALING),)), NOW)
        return tenant

    async def outbox(self) -> list[Item]:
        return sorted([item async for item in self.database.scan(OUTBOX)], key=lambda item: item["id"])

    async def texts(self) -> list[str]:
        return [json.loads(item["body"])["text"] for item in await self.outbox()]


def _text(answer: Mapping[str, Any]) -> str:
    body: str = answer["body"]
    return base64.b64decode(body).decode() if answer["isBase64Encoded"] else body


def proxy_event(
    method: str,
    path: str,
    body: bytes,
    headers: Mapping[str, str],
    *,
    query: Sequence[tuple[str, str]] = (),
    domain: str = DOMAIN,
    base: str = "/prod",
    binary: bool = True,
) -> dict[str, Any]:
    """A REST API's event; its query is decoded, and its body base64 where the API declares it binary."""
    values: dict[str, list[str]] = {}
    for name, value in query:
        values.setdefault(name, []).append(value)
    return {
        "resource": path,
        "path": path,
        "httpMethod": method,
        "headers": dict(headers),
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "queryStringParameters": {name: several[-1] for name, several in values.items()} or None,
        "multiValueQueryStringParameters": values or None,
        "requestContext": {"domainName": domain, "path": base + path, "stage": base.strip("/")},
        "body": base64.b64encode(body).decode() if binary else body.decode(),
        "isBase64Encoded": binary,
    }


def whatsapp_credentials(number: str = "1066", **changes: Any) -> WhatsAppCredentials:
    fields = {"phone_number_id": number, "access_token": "EAAG-token", "verify_token": "blue-kettle"}
    return WhatsAppCredentials.model_validate({**fields, "app_secret": APP_SECRET, **changes})


def twilio_credentials(**changes: Any) -> TwilioCredentials:
    fields = {"account_sid": "AC0123", "auth_token": TOKEN, "phone_number": "+14155550100"}
    return TwilioCredentials.model_validate({**fields, **changes})


def message(id: str, text: str = "Where is my order?") -> dict[str, Any]:
    return {"from": "919876543210", "id": id, "timestamp": "1795599990", "type": "text", "text": {"body": text}}


def status(id: str, status: str = "delivered", **more: Any) -> dict[str, Any]:
    return {"id": id, "status": status, "timestamp": "1795599991", "recipient_id": "919876543210", **more}


def change(number: str = "1066", *, field: str = "messages", **value: Any) -> dict[str, Any]:
    metadata = {"display_phone_number": "15550100", "phone_number_id": number}
    return {"field": field, "value": {"messaging_product": "whatsapp", "metadata": metadata, **value}}


def body_of(*changes: dict[str, Any]) -> bytes:
    """A callback's body as Meta writes it: escaped to ASCII."""
    entry = [{"id": "WABA-1", "changes": list(changes)}]
    return json.dumps({"object": "whatsapp_business_account", "entry": entry}).encode()


def by_meta(body: bytes, secret: str = APP_SECRET) -> dict[str, str]:
    """https://developers.facebook.com/docs/graph-api/webhooks/getting-started"""
    digest = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return {"X-Hub-Signature-256": f"sha256={digest}", "Content-Type": "application/json"}


def call_form(*more: tuple[str, str], **fields: str) -> list[tuple[str, str]]:
    known = {
        "AccountSid": "AC0123",
        "CallSid": "CA0001",
        "From": "+919876543210",
        "To": "+14155550100",
        "Direction": "inbound",
        "CallStatus": "ringing",
    }
    return [*{**known, **fields}.items(), *more]


def by_twilio(url: str, form: Sequence[tuple[str, str]], token: str = TOKEN) -> tuple[bytes, dict[str, str]]:
    """Body and headers of Twilio's POST of `form` to `url`, signed by its own library."""
    signature = RequestValidator(token).compute_signature(url, ImmutableMultiDict(form))
    headers = {"X-Twilio-Signature": signature, "Content-Type": "application/x-www-form-urlencoded"}
    return urlencode(form).encode(), headers


def payment(id: int | str = 5114, type: str = "PAYMENT_SUCCESS_WEBHOOK", *, status: str = "SUCCESS") -> bytes:
    content = {"cf_payment_id": id, "payment_status": status}
    data = {"order": {"order_id": "cm_8b1f", "order_amount": 1180.0}, "payment": content}
    return json.dumps({"type": type, "event_time": "2026-11-25T09:30:00+05:30", "data": data}).encode()


def by_cashfree(body: bytes, at: int = NOW, secret: str = CASHFREE_SECRET) -> dict[str, str]:
    """https://www.cashfree.com/docs/api-reference/payments/latest/payments/webhooks"""
    stamp = str(at // 1000)
    digest = hmac.new(secret.encode(), stamp.encode() + body, hashlib.sha256).digest()
    signature = base64.b64encode(digest).decode()
    return {
        "x-webhook-signature": signature,
        "x-webhook-timestamp": stamp,
        "x-webhook-version": "2025-01-01",
    }
