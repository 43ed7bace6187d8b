"""Everything one process of the gateway shares, and the admission of a request."""

from collections.abc import Mapping
from dataclasses import dataclass

from starlette.requests import Request

from callmissed.aws.database import Database
from callmissed.aws.dynamodb import Unavailable
from callmissed.catalog.model import Catalog
from callmissed.clock import Clock
from callmissed.errors import ApiError, service_unavailable
from callmissed.idempotency.store import IdempotencyStore
from callmissed.keys.admission import Admitted
from callmissed.keys.credentials import Headers, check_domain, presented_secret
from callmissed.keys.rehash import PepperRing
from callmissed.keys.secret import Mode
from callmissed.ledger.holds import Ledger
from callmissed.platform.routes import Permission
from functions.inference.settlement import Cashier
from functions.inference.upstreams import Upstreams


@dataclass(frozen=True, slots=True)
class Gateway:
    """The process's parts."""

    clock: Clock
    catalog: Catalog
    database: Database
    ledger: Ledger
    idempotency: IdempotencyStore
    cashier: Cashier
    upstreams: Upstreams
    ring: PepperRing

    async def authenticate(self, request: Request, permission: Permission | None = None, estimate: int = 0) -> Admitted:
        """Admit the request's key for one call of `estimate` micro-credits. Raises ApiError 401, 402, 403, 429, 503."""
        state = request.scope["state"]
        state["readable"] = True  # a refusal too: no page gets past its preflight unless a key is locked to it
        headers = request.headers.items()
        secret = presented_secret(headers)
        try:
            admitted = await self.ring.admit(secret, estimate, self.clock())
            try:
                _check_policy(admitted, permission, headers)
            except ApiError as refused:
                state["readable"] = refused.code != "domain_not_allowed"
                await self.cashier.give_back(admitted, 0)
                raise
        except Unavailable as error:
            raise service_unavailable() from error
        state["admitted"] = admitted
        return admitted

    async def close(self) -> None:
        """Drop every connection, for a snapshot or at the end."""
        await self.upstreams.close()
        await self.database.close()


def rate_headers(admitted: Admitted) -> Mapping[str, str]:
    """The key's rate window, as every answer to an admitted call shows it."""
    return admitted.rate.headers | ({"X-CallMissed-Sandbox": "true"} if admitted.mode == Mode.TEST else {})


def _check_policy(admitted: Admitted, permission: Permission | None, headers: Headers) -> None:
    check_domain(admitted.domains, headers)
    if permission and not {"*", str(permission)} & admitted.permissions:
        raise ApiError(403, "permission_denied", f"This API key lacks the permission '{permission}'.")
