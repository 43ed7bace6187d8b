"""Coupons as the table `billing` stores them.

    coupon#<CODE>   COUPON               the coupon, how often it was redeemed; in the index `tenant` below `@coupons`
    coupon#<CODE>   REDEEMED#<tenant>    how often the tenant redeemed it

A code is stored in capitals. Each redemption is an order too, which is paid with nothing.
"""

import re
from dataclasses import dataclass, fields
from typing import Any

from callmissed.aws.attributes import Item
from callmissed.clock import Micros, iso
from callmissed.money import MicroCredits

COUPONS = "@coupons"
"""Owner of all coupons in the index `tenant`."""

_COUPON, _REDEEMED = "COUPON", "REDEEMED#"
_CODE = re.compile(r"[A-Z0-9_-]{3,40}")


@dataclass(frozen=True, slots=True)
class Coupon:
    """A code that adds `credits`, in all `max_redemptions` times, for one tenant `per_tenant_limit` times.

    It may be redeemed from `starts` on and before `ends`; None is no end.
    """

    code: str
    credits: MicroCredits
    max_redemptions: int
    per_tenant_limit: int
    starts: Micros
    ends: Micros | None
    created: Micros
    redeemed: int = 0
    is_disabled: bool = False

    def is_current(self, now: Micros) -> bool:
        """Whether it may be redeemed at `now`, as far as dates say."""
        return self.starts <= now and (self.ends is None or now < self.ends)


def normal_code(text: str) -> str | None:
    """The stored form of a code, which is written in any case; None for what no code looks like."""
    code = text.strip().upper()
    return code if _CODE.fullmatch(code) else None


def coupon_key(code: str) -> Item:
    """Key of a coupon."""
    return {"id": f"coupon#{code}", "item": _COUPON}


def redeemed_key(code: str, tenant: str) -> Item:
    """Key of the count of one tenant's redemptions."""
    return {"id": f"coupon#{code}", "item": f"{_REDEEMED}{tenant}"}


def to_coupon_record(coupon: Coupon) -> Item:
    """The item of a coupon."""
    values = {each.name: getattr(coupon, each.name) for each in fields(Coupon) if each.name != "created"}
    own = {"tenant": COUPONS, "created": f"{iso(coupon.created)}#{coupon.code}", "created_at": coupon.created}
    return {**coupon_key(coupon.code), **values, **own}


def coupon_of(item: Item) -> Coupon:
    """The coupon of an item."""
    named = {each.name for each in fields(Coupon)}
    values: dict[str, Any] = {name: value for name, value in item.items() if name in named}
    return Coupon(**values | {"created": item["created_at"]})
