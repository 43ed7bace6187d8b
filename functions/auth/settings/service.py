"""A tenant's credentials at other providers: shown masked, replaced as a whole, verified as they are stored."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from callmissed.audit.events import Actor, AuditEvent
from callmissed.clock import Micros
from callmissed.integrations.credentials import Credentials
from callmissed.integrations.repository import Integration, Integrations, shown, unsealed
from callmissed.integrations.verification import Verifier
from callmissed.sealing import Sealer, UnsealError


@dataclass(frozen=True, slots=True)
class CredentialCheck:
    """Outcome of a check: `connected`, `not_configured`, or `error` with what is wrong."""

    status: str
    error: str | None = None


class IntegrationSettings:
    """The integrations of one stage, as people see them. Raises Unavailable when DynamoDB does not answer."""

    def __init__(self, integrations: Integrations, sealer: Sealer, verifier: Verifier) -> None:
        self._integrations = integrations
        self._sealer = sealer
        self._verifier = verifier

    async def shown(self, tenant: str, kind: type[Credentials]) -> Mapping[str, Any]:
        """The stored fields by name, secrets masked; None for each where nothing is stored."""
        found = await self._integrations.get(tenant, kind.provider)
        return shown(found, kind, self._sealer) if found else dict.fromkeys(kind.model_fields)

    async def save(self, tenant: str, credentials: Credentials, actor: Actor, now: Micros) -> None:
        """Replace what is stored. Raises ApiError 409."""

        def audit(before: Integration | None, after: Integration) -> AuditEvent:
            changed = {"before": _public(before, credentials), "after": _public(after, credentials)}
            return AuditEvent(tenant, "settings.update", "settings", credentials.provider, actor, changed)

        await self._integrations.save(tenant, credentials, self._sealer, now, audit=audit)

    async def verify(self, tenant: str, kind: type[Credentials]) -> CredentialCheck:
        """Ask the provider whether it accepts the stored credentials."""
        found = await self._integrations.get(tenant, kind.provider)
        if not found:
            return CredentialCheck("not_configured")
        try:
            credentials = unsealed(found, kind, self._sealer)
        except UnsealError:
            return CredentialCheck("error", "The stored credentials can't be read. Please save them again.")
        fault = await self._verifier.fault(credentials)
        return CredentialCheck("error", fault) if fault else CredentialCheck("connected")


def _public(integration: Integration | None, credentials: Credentials) -> dict[str, Any] | None:
    """The fields that are no secrets."""
    if integration is None:
        return None
    return {name: value for name, value in integration.fields.items() if name not in credentials.secrets}
