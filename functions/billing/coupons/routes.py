"""/api/v1/coupons and /api/v1/admin/coupons: redeem a coupon, and what operators do with them."""

from typing import Annotated

from fastapi import APIRouter, Request

from callmissed.idempotency.operation import derived
from callmissed.rate_limits import Limit, SlidingWindows, network_of
from callmissed.web.actor import ActorOf, OperatorOf
from callmissed.web.caller import PersonOf, source_address
from callmissed.web.dependencies import ClockOf, from_state
from callmissed.web.gateway_route import GatewayRoute
from callmissed.web.idempotency import OperationOf
from callmissed.web.schemas import OperatorRequest
from functions.billing.coupons.schemas import CouponCode, CouponList, CouponRow, NewCoupon, RedeemedOut
from functions.billing.coupons.service import Coupons
from functions.billing.credits.routes import CreditsOf
from functions.billing.error_responses import ERRORS
from functions.billing.payments.service import Buyer

router = APIRouter(route_class=GatewayRoute)
_ADMIN = "/api/v1/admin/coupons"
_OF_TENANT, _OF_NETWORK = Limit("coupon-tenant", 10), Limit("coupon-network", 10)

CouponsOf = Annotated[Coupons, from_state("coupons")]
WindowsOf = Annotated[SlidingWindows, from_state("windows")]


@router.post(
    "/api/v1/coupons/redeem",
    summary="Redeem a coupon",
    tags=["payments"],
    response_model=RedeemedOut,
    responses=ERRORS.session(404, changes=True),
)
async def redeem(
    wanted: CouponCode,
    request: Request,
    person: PersonOf,
    actor: ActorOf,
    coupons: CouponsOf,
    credits: CreditsOf,
    windows: WindowsOf,
    operation: OperationOf,
    clock: ClockOf,
) -> RedeemedOut:
    """Add a coupon's credits. A tenant and a network have 10 tries a minute; every refusal is the same 404."""
    now = clock()
    await windows.count(_OF_TENANT, person.tenant, now)
    await windows.count(_OF_NETWORK, network_of(source_address(request.scope)), now)
    buyer = Buyer(person.tenant, person.user_id, actor, f"cm_{derived(operation.id, 'coupon')[:16]}")
    order = await coupons.redeem(buyer, wanted.code, now)
    return RedeemedOut.of(order, (await credits.balance(person.tenant, now)).available)


@router.post(
    _ADMIN,
    summary="Make a coupon",
    tags=["admin"],
    status_code=201,
    response_model=CouponRow,
    responses=ERRORS.operator(409),
)
async def create_coupon(new: NewCoupon, operator: OperatorOf, coupons: CouponsOf, clock: ClockOf) -> CouponRow:
    """A code that adds credits, with limits in all and for each tenant."""
    return CouponRow.of(await coupons.create(new.coupon(clock()), operator(new.reason)))


@router.get(_ADMIN, summary="List coupons", tags=["admin"], response_model=CouponList, responses=ERRORS.operator())
async def list_coupons(_operator: OperatorOf, coupons: CouponsOf) -> CouponList:
    """All coupons, the newest first."""
    return CouponList(coupons=[CouponRow.of(coupon) for coupon in await coupons.all()])


@router.post(
    f"{_ADMIN}/{{code}}/disable",
    summary="Disable a coupon",
    tags=["admin"],
    response_model=CouponRow,
    responses=ERRORS.operator(404),
)
async def disable_coupon(
    code: str, body: OperatorRequest, operator: OperatorOf, coupons: CouponsOf, clock: ClockOf
) -> CouponRow:
    """End a coupon. What it added stays."""
    return CouponRow.of(await coupons.disable(code, operator(body.reason), clock()))
