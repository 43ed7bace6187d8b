"""Prices from micro-credits, each with the version that a ledger entry stores."""

from decimal import Decimal

from callmissed.catalog.model import Price, UnitName, UnitPrice
from callmissed.money import CREDIT


def token_price(
    input_price: int, output_price: int, cached_input: int | None = None, cache_write: int | None = None
) -> Price:
    """Price of these micro-credits per million tokens."""
    cached = "" if cached_input is None else f"-c{cached_input}"
    written = "" if cache_write is None else f"-w{cache_write}"
    version = f"i{input_price}-o{output_price}{cached}{written}"
    return Price(input_price, output_price, cached_input, version, cache_write)


def unit_price(amount: int, unit: UnitName) -> UnitPrice:
    """Price of these micro-credits per `unit`."""
    return UnitPrice(amount, unit, version=f"u{amount}-{unit}")


def micro_credits(credits: Decimal | int) -> int:
    """Micro-credits of `credits`. Raises ValueError when they have more than six decimals."""
    amount = credits * CREDIT
    if amount != int(amount) or bool(amount) != bool(credits):  # a tiny price underflows to 0
        raise ValueError("credits have at most six decimals")
    return int(amount)
