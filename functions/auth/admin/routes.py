"""/api/v1/admin: what operators change of tenants. API Gateway checks who they are, and whether they may."""

from typing import Annotated

from fastapi import APIRouter, Depends

from callmissed.integrations.credentials import Credentials
from callmissed.money import NOTHING, parse_credits, show
from callmissed.web.actor import OperatorOf
from callmissed.web.dependencies import ClockOf, from_state
from callmissed.web.gateway_route import GatewayRoute
from functions.auth.admin.schemas import (
    AdjustmentRow,
    GrantRow,
    IntegrationRow,
    NewAdjustment,
    NewGrant,
    NewTenant,
    TenantRow,
    TwilioNumber,
    WhatsAppNumber,
)
from functions.auth.admin.service import Administration
from functions.auth.error_responses import ERRORS
from functions.auth.settings.routes import SettingsOf

router = APIRouter(prefix="/api/v1/admin/tenants", tags=["admin"], route_class=GatewayRoute)
_ONE = "/{tenant_id}"

AdministrationOf = Annotated[Administration, from_state("administration")]


async def _known(tenant_id: str, _operator: OperatorOf, administration: AdministrationOf) -> str:
    """The tenant of the path. Raises ApiError 404."""
    return (await administration.tenant(tenant_id)).tenant_id


KnownTenant = Annotated[str, Depends(_known)]


@router.post("", summary="Create a tenant", status_code=201, response_model=TenantRow, responses=ERRORS.operator())
async def create_tenant(
    new: NewTenant, operator: OperatorOf, administration: AdministrationOf, clock: ClockOf
) -> TenantRow:
    """A new tenant with an empty wallet."""
    return TenantRow.of(await administration.create_tenant(new.name, new.plan, operator(new.reason), clock()))


@router.post(f"{_ONE}/credits", summary="Grant credits", response_model=GrantRow, responses=ERRORS.operator())
async def grant_credits(
    tenant_id: KnownTenant, new: NewGrant, operator: OperatorOf, administration: AdministrationOf, clock: ClockOf
) -> GrantRow:
    """Add credits to the wallet, once for each `operation_id`."""
    now, amount = clock(), parse_credits(new.credits)
    actor = operator(new.reason)
    granted = await administration.grant(tenant_id, amount, new.operation_id, actor, now, new.description)
    return GrantRow(
        tenant_id=tenant_id,
        operation_id=new.operation_id,
        granted=granted,
        amount=show(amount if granted else NOTHING),
        available=show(await administration.available(tenant_id, now)),
    )


@router.post(
    f"{_ONE}/credits/adjust", summary="Adjust credits", response_model=AdjustmentRow, responses=ERRORS.operator()
)
async def adjust_credits(
    tenant_id: KnownTenant, new: NewAdjustment, operator: OperatorOf, administration: AdministrationOf, clock: ClockOf
) -> AdjustmentRow:
    """Add credits, or take them back, once for each `operation_id`. Spent ones become a debt, which stops calls."""
    now, amount = clock(), parse_credits(new.credits)
    actor = operator(new.reason)
    adjusted = await administration.adjust(tenant_id, amount, new.operation_id, actor, now, new.description)
    money = await administration.balance(tenant_id, now)
    return AdjustmentRow(
        tenant_id=tenant_id,
        operation_id=new.operation_id,
        adjusted=adjusted,
        amount=show(amount if adjusted else NOTHING),
        available=show(money.available),
        debt=show(money.debt),
    )


@router.put(
    f"{_ONE}/integrations/whatsapp",
    summary="Save a tenant's WhatsApp number",
    response_model=IntegrationRow,
    responses=ERRORS.operator(409),
)
async def save_whatsapp(
    tenant_id: KnownTenant, number: WhatsAppNumber, operator: OperatorOf, settings: SettingsOf, clock: ClockOf
) -> IntegrationRow:
    """Replace all of the tenant's WhatsApp credentials."""
    await settings.save(tenant_id, number.credentials, operator(number.reason), clock())
    return await _shown(settings, tenant_id, number.credentials)


@router.put(
    f"{_ONE}/integrations/twilio",
    summary="Save a tenant's Twilio number",
    response_model=IntegrationRow,
    responses=ERRORS.operator(409),
)
async def save_twilio(
    tenant_id: KnownTenant, number: TwilioNumber, operator: OperatorOf, settings: SettingsOf, clock: ClockOf
) -> IntegrationRow:
    """Replace all of the tenant's Twilio credentials."""
    await settings.save(tenant_id, number.credentials, operator(number.reason), clock())
    return await _shown(settings, tenant_id, number.credentials)


async def _shown(settings: SettingsOf, tenant: str, credentials: Credentials) -> IntegrationRow:
    fields = await settings.shown(tenant, type(credentials))
    return IntegrationRow(provider=credentials.provider, fields=dict(fields))
