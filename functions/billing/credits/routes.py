"""/api/v1/credits: a tenant's credits, and what is for sale."""

from typing import Annotated

from fastapi import APIRouter

from callmissed.plans.price_lists import price_list
from callmissed.web.caller import PersonOf
from callmissed.web.dependencies import ClockOf, from_state
from callmissed.web.gateway_route import GatewayRoute
from functions.billing.credits.schemas import BalanceOut, PacksOut
from functions.billing.credits.service import Credits
from functions.billing.error_responses import public_responses, session_responses

router = APIRouter(prefix="/api/v1/credits", tags=["credits"], route_class=GatewayRoute)

CreditsOf = Annotated[Credits, from_state("credits")]


@router.get("/balance", summary="Get the balance", response_model=BalanceOut, responses=session_responses(404))
async def get_balance(person: PersonOf, credits: CreditsOf, clock: ClockOf) -> BalanceOut:
    """Credits that the tenant may spend."""
    return BalanceOut.of(await credits.balance(person.tenant, clock()))


@router.get("/packs", summary="List credit packs", response_model=PacksOut, responses=public_responses())
async def get_packs(clock: ClockOf) -> PacksOut:
    """Packs of credits and their prices."""
    return PacksOut.of(price_list(clock()))
