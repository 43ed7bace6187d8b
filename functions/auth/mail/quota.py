"""The quota of mails: at most five an hour for one address and purpose, over all tenants that cause them."""

from callmissed.clock import Micros
from callmissed.rate_limits import Limit, SlidingWindows

MAX_MAILS = 5
_SECONDS = 3600


class MailQuota:
    """Counts mails before they are queued. Raises Unavailable when DynamoDB does not answer."""

    def __init__(self, windows: SlidingWindows) -> None:
        self._windows = windows

    async def require(self, purpose: str, identity: str, now: Micros) -> None:
        """Count a mail that somebody else causes. Raises ApiError 429 with Retry-After."""
        await self._windows.count(_limit(purpose), identity, now)

    async def count(self, purpose: str, identity: str, now: Micros) -> bool:
        """Count a mail; False when the address has had five of this purpose in the last hour."""
        return await self._windows.wait(_limit(purpose), identity, now) == 0


def _limit(purpose: str) -> Limit:
    return Limit(f"mail/{purpose}", MAX_MAILS, _SECONDS)
