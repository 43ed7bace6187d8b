"""Whether a provider accepts credentials: one cheap request each, which costs nothing and changes nothing."""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from callmissed.http.client import Answer, SafeClient, SendError
from callmissed.integrations.credentials import (
    Credentials,
    SarvamCredentials,
    TwilioCredentials,
    WhatsAppCredentials,
)

TIMEOUT_SECONDS = 5
TOKEN_REFUSED = "Meta refuses the access token."  # noqa: S105
_REFUSED = (401, 403)
_ASKED_WRONGLY = (400, 405, 422)


@dataclass(frozen=True, slots=True)
class ProviderUrls:
    """Where the providers' APIs are."""

    graph: str
    twilio: str
    sarvam: str


class Verifier:
    """Asks providers. A provider's own words are never shown."""

    def __init__(self, client: SafeClient, urls: ProviderUrls) -> None:
        self._client = client
        self._urls = urls

    async def fault(self, credentials: Credentials) -> str | None:
        """What is wrong with the credentials; None where the provider accepts them."""
        try:
            match credentials:
                case WhatsAppCredentials():
                    return await self._whatsapp(credentials)
                case TwilioCredentials():
                    return await self._twilio(credentials)
                case SarvamCredentials():
                    return await self._sarvam(credentials)
                case _:
                    raise TypeError(f"no check of {type(credentials).__name__}")
        except SendError as error:
            return str(error)

    async def _whatsapp(self, credentials: WhatsAppCredentials) -> str | None:
        """Read the phone number's id.

        https://developers.facebook.com/docs/whatsapp/business-management-api/manage-phone-numbers
        """
        number = credentials.phone_number_id
        url = f"{self._urls.graph}/{quote(number, safe='')}?fields=id"
        answer = await self._send("GET", url, {"Authorization": f"Bearer {credentials.access_token}"})
        if answer.status == 200 and _json(answer).get("id") == number:
            return None
        if answer.status == 401:
            return TOKEN_REFUSED
        if answer.status == 403:
            return "The access token lacks a permission at Meta."
        return f"Meta does not show this phone number id to the access token (HTTP {answer.status})."

    async def _twilio(self, credentials: TwilioCredentials) -> str | None:
        """Fetch the account. https://www.twilio.com/docs/iam/api/account#fetch-an-account-resource"""
        account = credentials.account_sid
        basic = base64.b64encode(f"{account}:{credentials.auth_token}".encode()).decode()
        url = f"{self._urls.twilio}/2010-04-01/Accounts/{quote(account, safe='')}.json"
        answer = await self._send("GET", url, {"Authorization": f"Basic {basic}"})
        if answer.status == 200 and _json(answer).get("sid") == account:
            status = _json(answer).get("status")
            return None if status == "active" else "The Twilio account is not active."
        if answer.status in _REFUSED:
            return "Twilio refuses the account SID or the auth token."
        return f"Twilio does not show the account (HTTP {answer.status})."

    async def _sarvam(self, credentials: SarvamCredentials) -> str | None:
        """Ask for a translation of nothing: Sarvam checks the key before the body."""
        headers = {"api-subscription-key": credentials.api_key, "Content-Type": "application/json"}
        answer = await self._send("POST", f"{self._urls.sarvam}/translate", headers, b"{}")
        if 200 <= answer.status < 300 or answer.status in _ASKED_WRONGLY:
            return None
        if answer.status in _REFUSED:
            return "Invalid API key"
        return f"Sarvam does not answer as expected (HTTP {answer.status})."

    async def _send(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None = None) -> Answer:
        return await self._client.send(method, url, headers=headers, body=body, timeout_seconds=TIMEOUT_SECONDS)


def _json(answer: Answer) -> Mapping[str, Any]:
    """The body; empty where it is no JSON object."""
    try:
        body: object = json.loads(answer.body)
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}  # pyright: ignore[reportUnknownVariableType] -- keys of JSON are text
