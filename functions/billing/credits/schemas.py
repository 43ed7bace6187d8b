"""API models of credits; docs/api/openapi.json is made from them."""

from typing import Literal, Self

from pydantic import BaseModel

from callmissed.ledger.queries import Balance
from callmissed.money import credits, rupees
from callmissed.plans.price_lists import CreditPack, PriceList


class BalanceOut(BaseModel):
    """Credits that may be spent."""

    balance: float
    currency: Literal["INR"] = "INR"
    rate: str = "1 credit = ₹1"

    @classmethod
    def of(cls, money: Balance) -> Self:
        """The balance."""
        return cls(balance=credits(money.available))


class PackOut(BaseModel):
    """A bundle of credits. `price` is in rupees, tax included."""

    credits: int
    bonus: int
    total: int
    price: float
    label: str
    popular: bool

    @classmethod
    def of(cls, pack: CreditPack) -> Self:
        """The pack."""
        return cls(
            credits=pack.credits,
            bonus=pack.bonus,
            total=pack.total,
            price=rupees(pack.price),
            label=f"{pack.credits:,} credits",
            popular=pack.popular,
        )


class PacksOut(BaseModel):
    """What is for sale: packs, and any other count of credits at `custom_rate` rupees each."""

    packs: list[PackOut]
    custom_min: int
    custom_max: int
    custom_rate: float

    @classmethod
    def of(cls, prices: PriceList) -> Self:
        """The price list."""
        return cls(
            packs=[PackOut.of(pack) for pack in prices.packs],
            custom_min=prices.min_credits,
            custom_max=prices.max_credits,
            custom_rate=rupees(prices.custom_price),
        )
