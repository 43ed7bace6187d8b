"""Coupons: made and disabled by operators, redeemed by tenants, each redemption in one transaction.

The transaction claims one of the coupon's redemptions and one of the tenant's, adds the credits, and writes the order
that the payment history shows. Raises Unavailable when DynamoDB does not answer.
"""

from callmissed.audit.events import PLATFORM, Actor, AuditEvent, audit_operation
from callmissed.aws.comparisons import below, missing_or
from callmissed.aws.database import Database
from callmissed.aws.dynamodb import TransactionCanceled
from callmissed.aws.operations import WriteOperation, put_new_operation, update_operation
from callmissed.clock import Micros
from callmissed.errors import ApiError
from callmissed.ledger.entries import EntryType
from callmissed.ledger.grants import grant
from callmissed.money import show
from callmissed.platform.tables import BILLING, BILLING_OF_TENANT
from callmissed.tenants.tenants import get_tenant
from functions.billing.coupons.records import (
    COUPONS,
    Coupon,
    coupon_key,
    coupon_of,
    normal_code,
    redeemed_key,
    to_coupon_record,
)
from functions.billing.payments.records import NO_MONEY, CheckoutSession, Order, OrderKind, OrderStatus
from functions.billing.payments.repository import Orders, create_operation
from functions.billing.payments.service import Buyer

_PAGE = 100


class Coupons:
    """The coupons of one stage."""

    def __init__(self, orders: Orders) -> None:
        self._orders = orders
        self._database: Database = orders.database

    async def create(self, coupon: Coupon, actor: Actor) -> Coupon:
        """Make a coupon. Raises ApiError 409 where its code exists."""
        made = {"credits": show(coupon.credits), "max_redemptions": coupon.max_redemptions}
        event = AuditEvent(PLATFORM, "coupon.create", "coupon", coupon.code, actor, made)
        created = put_new_operation(BILLING, to_coupon_record(coupon))
        try:
            await self._database.transact([created, audit_operation(event, coupon.created)])
        except TransactionCanceled as cancelled:
            raise ApiError(409, "conflict", "A coupon with this code exists.") from cancelled
        return coupon

    async def all(self) -> list[Coupon]:
        """The coupons, the newest first; what was made in the last seconds may be missing."""
        found: list[Coupon] = []
        query = self._database.query(BILLING, COUPONS, index=BILLING_OF_TENANT, newest_first=True)
        keys = [{"id": key["id"], "item": key["item"]} async for key in query]
        for start in range(0, len(keys), _PAGE):
            found += map(coupon_of, await self._database.get_all(BILLING, keys[start : start + _PAGE]))
        return found

    async def disable(self, code: str, actor: Actor, now: Micros) -> Coupon:
        """End a coupon for good; a repeat changes nothing. Raises ApiError 404."""
        coupon = await self._find(code)
        if coupon is None:
            raise ApiError(404, "not_found", "There is no such coupon.")
        event = AuditEvent(PLATFORM, "coupon.disable", "coupon", coupon.code, actor)
        ended = update_operation(BILLING, coupon_key(coupon.code), set={"is_disabled": True})
        if not coupon.is_disabled:
            await self._database.transact([ended, audit_operation(event, now)])
        return await self._find(code) or coupon

    async def redeem(self, buyer: Buyer, code: str, now: Micros) -> Order:
        """The order that adds the coupon's credits. A repeat of the same request returns the same order.

        Raises ApiError 404 for every coupon that can't be redeemed, whatever the reason.
        """
        if earlier := await self._earlier(buyer):
            return earlier
        coupon = await self._find(code)
        if coupon is None or coupon.is_disabled or not coupon.is_current(now):
            raise _not_redeemable()
        order = await self._order(buyer, coupon, now)
        try:
            await grant(
                self._database,
                tenant=buyer.tenant,
                amount=coupon.credits,
                operation_id=order.order_id,
                now=now,
                kind=EntryType.COUPON,
                description=f"Coupon credit grant ({coupon.code})",
                also=_claim(coupon, order, buyer.actor, now),
            )
        except TransactionCanceled as cancelled:  # of the coupon: the same request, if it was faster, is no failure
            raise _not_redeemable() from cancelled
        return await self._orders.get(buyer.tenant, buyer.order_id)

    async def _earlier(self, buyer: Buyer) -> Order | None:
        order = await self._orders.find(buyer.order_id)
        return order if order and order.tenant == buyer.tenant else None

    async def _find(self, code: str) -> Coupon | None:
        normal = normal_code(code)
        item = await self._database.get(BILLING, coupon_key(normal)) if normal else {}
        return coupon_of(item) if item else None

    async def _order(self, buyer: Buyer, coupon: Coupon, now: Micros) -> Order:
        tenant = await get_tenant(self._database, buyer.tenant, consistent=True)
        return Order(
            order_id=buyer.order_id,
            tenant=buyer.tenant,
            user_id=buyer.user_id,
            kind=OrderKind.COUPON,
            amount=NO_MONEY,
            plan_from=str(tenant.plan),
            plan_to=f"coupon_{coupon.code}",
            credits=coupon.credits,
            price_version="",
            tax_basis_points=0,
            created=now,
            session=CheckoutSession(1, now),
            status=OrderStatus.PAID,
            paid=now,
        )


def _claim(coupon: Coupon, order: Order, actor: Actor, now: Micros) -> list[WriteOperation]:
    """The operations that belong to the grant: each fails where a limit is reached, or the coupon disabled."""
    redeemed = {"code": coupon.code, "credits": show(coupon.credits), "order_id": order.order_id}
    event = AuditEvent(order.tenant, "coupon.redeem", "order", order.order_id, actor, redeemed)
    return [
        update_operation(
            BILLING,
            coupon_key(coupon.code),
            add={"redeemed": 1},
            expected={"redeemed": below(coupon.max_redemptions), "is_disabled": False},
        ),
        update_operation(
            BILLING,
            redeemed_key(coupon.code, order.tenant),
            add={"redeemed": 1},
            expected={"redeemed": missing_or(below(coupon.per_tenant_limit))},
            upsert=True,
        ),
        create_operation(order),
        audit_operation(event, now),
    ]


def _not_redeemable() -> ApiError:
    """404, the same for every reason, so that a guess learns nothing."""
    return ApiError(404, "not_found", "This coupon can't be redeemed.")
