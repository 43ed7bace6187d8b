"""Signing secrets of accounts: read from DynamoDB, and cached for 30 seconds."""

from collections.abc import Callable

from callmissed.clock import SECOND, Clock
from callmissed.integrations.repository import Integrations, ProviderAccount
from callmissed.sealing import Sealer

_REMEMBERED = 30 * SECOND
_MOST = 1_000

Signed = Callable[[str], bool]
"""Whether a callback is signed with a secret."""


class Signers:
    """The accounts whose callbacks are received. Cached secrets are sealed.

    An account that is unknown, or whose secret does not fit, is read again before it is refused, so that new
    integrations and new secrets work at once. A removed one works for 30 seconds more. An account without a secret is
    read each time, so that its first secret works at once too. So is a proven one: it may have the secret of the
    platform's app, which fits also after the number went to another tenant.
    """

    def __init__(self, integrations: Integrations, sealer: Sealer, clock: Clock) -> None:
        self._integrations = integrations
        self._sealer = sealer
        self._clock = clock
        self._remembered: dict[str, tuple[int, ProviderAccount]] = {}

    async def tenant(self, account: str, signed: Signed) -> str | None:
        """The tenant of `account` if the callback is `signed` with its secret. Raises Unavailable, UnsealError."""
        until, known = self._remembered.get(account, (0, None))
        if known and until > self._clock() and self._passes(known, signed):
            return known.tenant
        known = await self._integrations.find(account)
        if known is None or not self._passes(known, signed):
            self._remembered.pop(account, None)
            return None
        if known.secret and not known.proven:
            self._remember(account, known)
        return known.tenant

    def _passes(self, account: ProviderAccount, signed: Signed) -> bool:
        return signed(self._sealer.unseal(account.secret)) if account.secret else account.allow_unsigned

    def _remember(self, account: str, known: ProviderAccount) -> None:
        if len(self._remembered) >= _MOST:
            self._remembered.clear()
        self._remembered[account] = (self._clock() + _REMEMBERED, known)
