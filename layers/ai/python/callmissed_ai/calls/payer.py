"""Payers of calls: an API key by its secret, an API key by its id, or a tenant.

KeyPayer         the key's conditional write: authentication, rate, budget; then domain lock and permission
AdmittedKey      a key that was admitted for nothing, because reading the request takes long; its budget alone is left
StoredKeyPayer   the same write, on the item that the key's record names; for work that runs after its request
TenantPayer      no key; the tenant's plan and quotas, budget and credits by the hold alone
"""

from dataclasses import dataclass, replace
from typing import Protocol

from callmissed.aws.dynamodb import Unavailable
from callmissed.errors import ApiError, account_closed, invalid_api_key, service_unavailable
from callmissed.keys.admission import Admitted
from callmissed.keys.credentials import check_origin
from callmissed.keys.records import read_api_key
from callmissed.keys.secret import Mode
from callmissed.money import NOTHING, MicroCredits
from callmissed.platform.routes import Permission
from callmissed.tenants.tenants import get_tenant
from callmissed_ai.calls.call import AdmittedPayer
from callmissed_ai.calls.container import Container

_LOOKS = 4
"""Maximum reads of a stored key: its newest item changes when it is rotated or moved to another pepper."""


class Payer(Protocol):
    """The payer of a call: an API key or a tenant."""

    async def admit(self, container: Container, permission: Permission | None, estimate: MicroCredits) -> AdmittedPayer:
        """Admit one call that may cost `estimate` and needs `permission`, if any.

        Raises ApiError 401, 402 (HoldRefused), 403, 429, 503.
        """
        ...


@dataclass(frozen=True, slots=True)
class KeyPayer:
    """The API key `secret`, from a web page of `origin`, or from no page. One round trip and no read."""

    secret: str
    origin: str | None = None

    async def admit(self, container: Container, permission: Permission | None, estimate: MicroCredits) -> AdmittedPayer:
        """See `Payer.admit`. A test key's budget is not charged: the secret's prefix marks a test key."""
        charged = NOTHING if self.secret.startswith("cm_test_") else estimate
        try:
            admitted = await container.authenticator.admit(self.secret, charged, container.clock())
            try:
                check_origin(admitted.key.domains, self.origin)
                _check_permission(admitted, permission)
            except ApiError:
                await container.settlement.refund_key(admitted, NOTHING)
                raise
        except Unavailable as error:
            raise service_unavailable() from error
        return _payer_of(admitted)


@dataclass(frozen=True, slots=True)
class AdmittedKey:
    """The payer that `KeyPayer` admitted for nothing, before anyone knew what the call may cost.

    A request whose reading takes long, such as audio, is read for admitted keys alone. A key with a budget is charged
    by a write of its own then, a round trip more.
    """

    payer: AdmittedPayer

    async def admit(self, container: Container, permission: Permission | None, estimate: MicroCredits) -> AdmittedPayer:
        """See `Payer.admit`: rate, domain lock and permission are checked."""
        key = self.payer.key
        if key is None or self.payer.is_sandboxed or not estimate:
            return self.payer
        try:
            return replace(self.payer, key=await container.admission.charge(key, estimate))
        except Unavailable as error:
            raise service_unavailable() from error


@dataclass(frozen=True, slots=True)
class StoredKeyPayer:
    """The API key `key_id` of `tenant`, for a batch or a voice session, which have no secret.

    One consistent read of the key's record returns its newest item's id, and the same write as for a secret admits the
    call: revocation, expiry, rate, permission and budget apply. Domain locks don't, because no web page calls.
    """

    tenant: str
    key_id: str

    async def admit(self, container: Container, permission: Permission | None, estimate: MicroCredits) -> AdmittedPayer:
        """See `Payer.admit`."""
        try:
            admitted = await self._admit(container, estimate)
            try:
                _check_permission(admitted, permission)
            except ApiError:
                await container.settlement.refund_key(admitted, NOTHING)
                raise
        except Unavailable as error:
            raise service_unavailable() from error
        return _payer_of(admitted)

    async def _admit(self, container: Container, estimate: MicroCredits) -> Admitted:
        """Admit the key at its newest item, which may change between the read and the write."""
        seen = ""
        for _ in range(_LOOKS):
            newest, mode = await self._newest(container)
            if newest == seen:
                raise invalid_api_key()
            try:
                return await container.admission.admit(
                    newest, NOTHING if mode == Mode.TEST else estimate, container.clock()
                )
            except ApiError as refused:
                if refused.status != 401:
                    raise
                seen = newest
        raise service_unavailable()

    async def _newest(self, container: Container) -> tuple[str, str]:
        try:
            key = await read_api_key(container.database, self.tenant, self.key_id)
        except ApiError:
            raise invalid_api_key() from None
        return key.newest, key.mode


@dataclass(frozen=True, slots=True)
class TenantPayer:
    """`tenant` itself, for a bot's turn or a signed-in user: without a key, so without rate, permission and key budget.

    The plan determines models and wallet shards before the hold is placed, and a hold does not return the plan. So the
    tenant's record is read first, strongly consistent: one read unit, a fifth of the cost of a write that fails and has
    to be repeated. Whether the tenant is active, its quotas, budget and credits are conditions
    of the hold.
    """

    tenant: str

    async def admit(self, container: Container, permission: Permission | None, estimate: MicroCredits) -> AdmittedPayer:
        """See `Payer.admit`; raises ApiError 403 for a tenant that does not exist."""
        now = container.clock()
        try:
            tenant = await get_tenant(container.database, self.tenant, consistent=True)
        except Unavailable as error:
            raise service_unavailable() from error
        except ApiError:
            raise account_closed() from None
        return AdmittedPayer(self.tenant, tenant.plan, now)


def _payer_of(admitted: Admitted) -> AdmittedPayer:
    key = admitted.key
    return AdmittedPayer(
        key.tenant,
        key.plan,
        admitted.now,
        key.key_id,
        key.models,
        key.search_providers,
        is_sandboxed=key.mode == Mode.TEST,
        key=admitted,
    )


def _check_permission(admitted: Admitted, permission: Permission | None) -> None:
    if permission and not {"*", str(permission)} & admitted.key.permissions:
        raise ApiError(403, "permission_denied", f"This API key lacks the permission '{permission}'.")
