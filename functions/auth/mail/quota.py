"""The quota of mails: at most five an hour for one address and purpose, over all tenants that cause them."""

from callmissed.clock import Micros
from functions.auth.limits import Limit, SlidingWindows

MAX_MAILS = 5
_SECONDS = 3600


class MailQuota:
    """Counts mails before they are queued. Raises Unavailable when DynamoDB does not answer."""

    def __init__(self, windows: SlidingWindows) -> None:
        self._windows = windows

    async def count(self, purpose: str, identity: str, now: Micros) -> bool:
        """Count a mail; False when the address has had five of this purpose in the last hour."""
        return await self._windows.wait(Limit(f"mail/{purpose}", MAX_MAILS, _SECONDS), identity, now) == 0
