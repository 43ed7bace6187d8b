"""Captchas: off, or Cloudflare Turnstile.

https://developers.cloudflare.com/turnstile/get-started/server-side-validation/
A captcha that was solved for an address and a purpose is good for resending that mail for half an hour.
"""

from typing import Protocol
from urllib.parse import urlencode

from pydantic import BaseModel, Field

from callmissed.aws.database import Database
from callmissed.clock import MINUTE, SECOND, Micros
from callmissed.errors import ApiError, service_unavailable
from callmissed.http.client import SafeClient, SendError
from callmissed.observability import get_logger
from callmissed.platform.tables import CHALLENGES

REMEMBERED = 30 * MINUTE
"""How long a solved captcha is good for another mail of the same purpose to the same address."""

_TIMEOUT_SECONDS = 5
_TTL_SLACK_SECONDS = 3600
_OUR_FAULTS = frozenset({"missing-input-secret", "invalid-input-secret", "bad-request", "internal-error"})
_logger = get_logger("captcha")


class _Verdict(BaseModel):
    """Turnstile's answer."""

    success: bool
    errors: list[str] = Field(default=[], alias="error-codes")


class Captcha(Protocol):
    """Verifies that a caller has solved a captcha, where `is_on`."""

    @property
    def is_on(self) -> bool:
        """Whether callers are asked for captchas at all."""
        ...

    async def check(self, token: str, ip_address: str) -> None:
        """Raise ApiError 401 unless `token` is of a solved captcha, 503 when nobody can say."""
        ...


class NoCaptcha:
    """Asks for no captcha."""

    is_on = False

    async def check(self, token: str, ip_address: str) -> None:
        """As `Captcha.check`: nothing is refused."""


class Turnstile:
    """Verifies tokens of Cloudflare Turnstile at `url` with the site's `secret`."""

    is_on = True

    def __init__(self, client: SafeClient, url: str, secret: str) -> None:
        self._client = client
        self._url = url
        self._secret = secret

    async def check(self, token: str, ip_address: str) -> None:
        """As `Captcha.check`. A token is good for one check and five minutes."""
        if not token:
            raise captcha_failed()
        form = {"secret": self._secret, "response": token, "remoteip": ip_address}
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        try:
            answer = await self._client.send(
                "POST", self._url, headers=headers, body=urlencode(form).encode(), timeout_seconds=_TIMEOUT_SECONDS
            )
            verdict = _Verdict.model_validate_json(answer.body)
        except (SendError, ValueError) as failure:
            _logger.error("Turnstile does not answer", extra={"why": type(failure).__name__})
            raise service_unavailable() from None
        if _OUR_FAULTS & set(verdict.errors):
            _logger.error("Turnstile refuses our secret", extra={"codes": verdict.errors})
            raise service_unavailable()
        if not verdict.success:
            raise captcha_failed()


class RememberedCaptcha:
    """Asks for a captcha before a mail, unless one was solved for the same mail lately. Raises Unavailable.

    Where captchas are off, nothing is stored.
    """

    def __init__(self, database: Database, captcha: Captcha) -> None:
        self._database = database
        self._captcha = captcha

    async def check(self, purpose: str, identity: str, token: str, ip_address: str, now: Micros) -> None:
        """As `Captcha.check`, and remember that it was solved."""
        await self._captcha.check(token, ip_address)
        if self._captcha.is_on:
            until = now + REMEMBERED
            ttl = until // SECOND + _TTL_SLACK_SECONDS
            await self._database.put(CHALLENGES, {**_key(purpose, identity), "expires": until, "ttl": ttl})

    async def check_again(self, purpose: str, identity: str, token: str, ip_address: str, now: Micros) -> None:
        """As `check`; without a token, one that was solved for this purpose and address lately is enough."""
        if token or not self._captcha.is_on:
            await self.check(purpose, identity, token, ip_address, now)
            return
        solved = await self._database.get(CHALLENGES, _key(purpose, identity))
        if not solved or solved["expires"] <= now:
            raise captcha_failed()


def captcha_failed() -> ApiError:
    """401: the captcha was not solved, or its token was used or is too old."""
    return ApiError(401, "captcha_failed", "Solve the captcha and try again.")


def _key(purpose: str, identity: str) -> dict[str, str]:
    return {"id": f"captcha#{purpose}#{identity}"}
