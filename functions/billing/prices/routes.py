"""/api/v1/admin/prices: a preview of a providers file, and its import, by operators."""

from typing import Annotated

from fastapi import APIRouter

from callmissed.web.actor import OperatorOf
from callmissed.web.dependencies import ClockOf, from_state
from callmissed.web.gateway_route import GatewayRoute
from functions.billing.error_responses import ERRORS
from functions.billing.prices.schemas import ImportOut, NewPrices, PreviewOut, ProvidersFile
from functions.billing.prices.service import Prices

router = APIRouter(prefix="/api/v1/admin/prices", tags=["admin"], route_class=GatewayRoute)

PricesOf = Annotated[Prices, from_state("prices")]


@router.post("/preview", summary="Preview prices", response_model=PreviewOut, responses=ERRORS.operator())
async def preview(file: ProvidersFile, _operator: OperatorOf, prices: PricesOf) -> PreviewOut:
    """What a providers file changes, compared with the one in force. Nothing is changed."""
    return PreviewOut.of(await prices.preview(file.providers))


@router.post("/import", summary="Import prices", response_model=ImportOut, responses=ERRORS.operator(409))
async def import_prices(new: NewPrices, operator: OperatorOf, prices: PricesOf, clock: ClockOf) -> ImportOut:
    """Put a providers file in force, if the one in force is still that of the preview. A repeat changes nothing."""
    made = await prices.import_document(new.providers, new.version, operator(new.reason), clock())
    return ImportOut.of(new.version, *made)
