"""/api/v1/credits: a tenant's credits, and what is for sale."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from callmissed.ledger.history.transactions import TransactionFilter
from callmissed.plans.price_lists import price_list
from callmissed.web.caller import PersonOf
from callmissed.web.dependencies import ClockOf, from_state
from callmissed.web.gateway_route import GatewayRoute
from functions.billing.credits.costs import ServiceCosts
from functions.billing.credits.filters import CURSOR, transaction_filter
from functions.billing.credits.schemas import BalanceOut, PacksOut, TransactionsOut
from functions.billing.credits.service import Credits
from functions.billing.error_responses import ERRORS

router = APIRouter(prefix="/api/v1/credits", tags=["credits"], route_class=GatewayRoute)

CreditsOf = Annotated[Credits, from_state("credits")]
CostsOf = Annotated[ServiceCosts, from_state("costs")]
FilterOf = Annotated[TransactionFilter, Depends(transaction_filter)]


@router.get("/balance", summary="Get the balance", response_model=BalanceOut, responses=ERRORS.session(404))
async def get_balance(person: PersonOf, credits: CreditsOf, clock: ClockOf) -> BalanceOut:
    """Credits that the tenant may spend."""
    return BalanceOut.of(await credits.balance(person.tenant, clock()))


@router.get("/packs", summary="List credit packs", response_model=PacksOut, responses=ERRORS.public())
async def get_packs(costs: CostsOf, clock: ClockOf) -> PacksOut:
    """Packs of credits and their prices, and what each model costs, by service."""
    return PacksOut.of(price_list(clock()), await costs.all())


@router.get(
    "/transactions",
    summary="List transactions",
    response_model=TransactionsOut,
    responses=ERRORS.session(400, 409, 422),
)
async def list_transactions(
    person: PersonOf,
    credits: CreditsOf,
    wanted: FilterOf,
    clock: ClockOf,
    limit: Annotated[int, Query(ge=1, le=200, description="How many at most.")] = 50,
    cursor: Annotated[str | None, Query(pattern=CURSOR, description="`next_cursor` of the page before.")] = None,
) -> TransactionsOut:
    """What was bought, granted and spent, newest first, with the balance after each.

    With `type`, a page may have fewer rows than `limit`, or none, and still name a `next_cursor`.
    """
    page = await credits.transactions(person.tenant, wanted, clock(), limit=limit, cursor=cursor)
    return TransactionsOut.of(page)
