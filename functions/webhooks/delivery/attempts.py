"""One attempt: the signed request to the endpoint, and its outcome."""

from dataclasses import dataclass
from typing import Protocol

from callmissed.clock import SECOND, Clock, Micros
from callmissed.http.client import SafeClient, SendError
from callmissed.sealing import Sealer, UnsealError
from functions.webhooks.delivery import signing
from functions.webhooks.delivery.schedule import retry_after
from functions.webhooks.storage.records import Webhook

TIMEOUT_SECONDS = 10
KEPT_BYTES = 20_480
_GONE = 410
_ASKS_FOR_TIME = (429, 503)


@dataclass(frozen=True, slots=True)
class AttemptOutcome:
    """Outcome of an attempt at `at` (epoch microseconds). Without an answer `status` is None, and `error` says why.

    `wait` are the seconds of the endpoint's `Retry-After`; `answer` is the beginning of its body.
    """

    at: Micros
    status: int | None
    latency_ms: int
    error: str | None = None
    answer: bytes = b""
    truncated: bool = False
    wait: int | None = None

    @property
    def delivered(self) -> bool:
        """Whether the endpoint accepted the event."""
        return self.status is not None and 200 <= self.status < 300

    @property
    def gone(self) -> bool:
        """Whether the endpoint wants no more events."""
        return self.status == _GONE


class Attempting(Protocol):
    """Makes attempts."""

    async def make(
        self, webhook: Webhook, *, delivery_id: str, event_type: str, body: str, now: Micros
    ) -> AttemptOutcome:
        """Post `body` to the webhook's URL, signed at `now`. A failure is returned as an outcome."""
        ...


class Attempts:
    """Makes attempts. Secrets are unsealed only here."""

    def __init__(self, client: SafeClient, sealer: Sealer, clock: Clock) -> None:
        self._client = client
        self._sealer = sealer
        self._clock = clock

    async def make(
        self, webhook: Webhook, *, delivery_id: str, event_type: str, body: str, now: Micros
    ) -> AttemptOutcome:
        """Post `body` to the webhook's URL, signed at `now` with every secret that is live."""
        payload = body.encode()
        try:
            headers = self._headers(webhook, delivery_id, event_type, payload, now)
        except UnsealError:
            # An operator can put the key back; the delivery waits as for an endpoint that is down.
            return AttemptOutcome(now, None, 0, "The webhook's secrets can't be read at the moment.")
        begun = self._clock()
        try:
            answer = await self._client.send(
                "POST",
                webhook.url,
                headers=headers,
                body=payload,
                timeout_seconds=TIMEOUT_SECONDS,
                max_bytes=KEPT_BYTES,
            )
        except SendError as error:
            return AttemptOutcome(now, None, (self._clock() - begun) // 1000, str(error))
        wait = retry_after(answer.headers, now) if answer.status in _ASKS_FOR_TIME else None
        delivered = 200 <= answer.status < 300
        error = None if delivered else f"The endpoint answered {answer.status}."
        return AttemptOutcome(now, answer.status, answer.latency_ms, error, answer.body, answer.truncated, wait)

    def _headers(
        self, webhook: Webhook, delivery_id: str, event_type: str, payload: bytes, now: Micros
    ) -> dict[str, str]:
        """The owner's headers and ours. Raises UnsealError."""
        own = {name: self._sealer.unseal(value) for name, value in webhook.headers.items()}
        live = [secret for secret in webhook.secrets if secret.expires_at is None or secret.expires_at > now]
        secrets = [self._sealer.unseal(secret.sealed) for secret in live]
        return own | signing.headers(secrets, delivery_id, event_type, payload, now // SECOND)
