"""/api/v1/credits/budget: what a tenant may spend in a month."""

from typing import Annotated

from fastapi import APIRouter

from callmissed.web.actor import ActorOf
from callmissed.web.caller import PersonOf
from callmissed.web.dependencies import ClockOf, from_state
from callmissed.web.gateway_route import GatewayRoute
from functions.billing.budgets.schemas import BudgetChange, BudgetOut
from functions.billing.budgets.service import Budgets
from functions.billing.error_responses import ERRORS

router = APIRouter(prefix="/api/v1/credits", tags=["credits"], route_class=GatewayRoute)

BudgetsOf = Annotated[Budgets, from_state("budgets")]


@router.get("/budget", summary="Get the budget", response_model=BudgetOut, responses=ERRORS.session(404))
async def get_budget(person: PersonOf, budgets: BudgetsOf, clock: ClockOf) -> BudgetOut:
    """The monthly budget, and what is used of it."""
    return BudgetOut.of(await budgets.get(person.tenant, clock()))


@router.put("/budget", summary="Set the budget", response_model=BudgetOut, responses=ERRORS.session(404, changes=True))
async def set_budget(
    change: BudgetChange, person: PersonOf, actor: ActorOf, budgets: BudgetsOf, clock: ClockOf
) -> BudgetOut:
    """Set the monthly budget. It holds from the next call on, also below what is spent already."""
    changed = await budgets.change(
        person.tenant,
        change.budget,
        actor,
        clock(),
        alerts=change.alerts_enabled,
        low_credits=change.low_credits_threshold,
    )
    return BudgetOut.of(changed)
