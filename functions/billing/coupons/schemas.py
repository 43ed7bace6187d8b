"""API models of coupons; docs/api/openapi.json is made from them."""

from typing import Annotated, Self

from pydantic import BaseModel, Field, model_validator

from callmissed.clock import Micros, iso, micros_at
from callmissed.money import MicroCredits, credits, parse_credits, show
from callmissed.web.schemas import CreditAmount, Moment, OperatorRequest, RequestModel
from functions.billing.coupons.records import Coupon
from functions.billing.payments.records import Order

_MAX_REDEMPTIONS = 1_000_000_000


class NewCoupon(OperatorRequest):
    """A coupon to make. Its code is the same in capitals and small letters."""

    code: str = Field(pattern=r"^[A-Za-z0-9_-]{3,40}$")
    credits: CreditAmount
    max_redemptions: int = Field(ge=1, le=_MAX_REDEMPTIONS)
    per_tenant_limit: int = Field(default=1, ge=1, le=_MAX_REDEMPTIONS)
    starts_at: Moment | None = Field(default=None, description="From when on; null is now.")
    ends_at: Moment | None = Field(default=None, description="The first moment at which it is over.")

    @model_validator(mode="after")
    def is_of_use(self) -> Self:
        """Refuse a coupon that could never add anything."""
        if not parse_credits(self.credits):
            raise ValueError("a coupon adds more than nothing")
        if self.starts_at and self.ends_at and self.ends_at <= self.starts_at:
            raise ValueError("a coupon ends after it starts")
        return self

    def coupon(self, now: Micros) -> Coupon:
        """The coupon, as of `now`."""
        return Coupon(
            code=self.code.upper(),
            credits=parse_credits(self.credits),
            max_redemptions=self.max_redemptions,
            per_tenant_limit=self.per_tenant_limit,
            starts=micros_at(self.starts_at) if self.starts_at else now,
            ends=micros_at(self.ends_at) if self.ends_at else None,
            created=now,
        )


class CouponRow(BaseModel):
    """A coupon, and how often it was redeemed."""

    code: str
    credits: str
    max_redemptions: int
    per_tenant_limit: int
    redeemed: int
    starts_at: str
    ends_at: str | None
    disabled: bool
    created_at: str

    @classmethod
    def of(cls, coupon: Coupon) -> Self:
        """The coupon."""
        return cls(
            code=coupon.code,
            credits=show(coupon.credits),
            max_redemptions=coupon.max_redemptions,
            per_tenant_limit=coupon.per_tenant_limit,
            redeemed=coupon.redeemed,
            starts_at=iso(coupon.starts),
            ends_at=None if coupon.ends is None else iso(coupon.ends),
            disabled=coupon.is_disabled,
            created_at=iso(coupon.created),
        )


class CouponList(BaseModel):
    """All coupons, the newest first."""

    coupons: list[CouponRow]


class CouponCode(RequestModel):
    """A coupon to redeem."""

    code: Annotated[str, Field(min_length=1, max_length=100)]


class RedeemedOut(BaseModel):
    """What a coupon added. The order is in the payment history."""

    order_id: str
    plan: str
    credits: float
    balance: float

    @classmethod
    def of(cls, order: Order, available: MicroCredits) -> Self:
        """The order, and what the tenant may spend now."""
        return cls(
            order_id=order.order_id, plan=order.plan_to, credits=credits(order.credits), balance=credits(available)
        )
