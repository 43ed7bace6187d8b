"""Money is an integer of micro-credits; 1 credit = 1,000,000 micro-credits = 1 INR, 1 USD of list price = 100 credits.

Prices are integers of micro-credits per a number of units, so that the cost of a call is an exact fraction and is
rounded once, half up, when the call is settled.
"""

from collections.abc import Iterable
from decimal import Context, Decimal, DecimalException, Inexact, InvalidOperation, Overflow
from math import lcm
from typing import NewType

MicroCredits = NewType("MicroCredits", int)
"""An amount of money: millionths of a credit."""

Paise = NewType("Paise", int)
"""An amount of rupees that is paid with: hundredths of a rupee."""

NOTHING = MicroCredits(0)
CREDIT = 1_000_000
CREDITS_PER_USD = 100
"""Credits for 1 USD of list price."""

PER_MILLION = 1_000_000
"""Token prices are per this many tokens."""

Term = tuple[int, int, int]
"""`(units, price, per)`: a quantity, and its price in micro-credits per `per` units."""

# As many digits as DynamoDB's numbers have. Python's default context would silently round a longer product.
_EXACT = Context(prec=38, Emax=38, traps=[Inexact, InvalidOperation, Overflow])


def cost(*terms: Term) -> MicroCredits:
    """What the terms cost, rounded half up once over their sum."""
    numerator, denominator = _sum(terms)
    return MicroCredits((2 * numerator + denominator) // (2 * denominator))


def ceiling(*terms: Term) -> MicroCredits:
    """An upper bound of `cost` for the same terms or smaller ones."""
    numerator, denominator = _sum(terms)
    return MicroCredits(-(-numerator // denominator))


def _sum(terms: tuple[Term, ...]) -> tuple[int, int]:
    """The exact sum as a fraction of two integers."""
    denominator = lcm(*(per for _, _, per in terms))
    return sum(units * price * (denominator // per) for units, price, per in terms), denominator


def total(amounts: Iterable[MicroCredits]) -> MicroCredits:
    """The sum of the amounts."""
    return MicroCredits(sum(amounts))


def credits(amount: MicroCredits) -> float:
    """Credits for an answer's JSON; rendering only, never computed with."""
    return amount / CREDIT


def rupees(amount: Paise) -> float:
    """Rupees for an answer's JSON; rendering only, never computed with."""
    return amount / 100


def show_rupees(amount: Paise) -> str:
    """Rupees as people read them: `449.00`."""
    return f"{amount // 100}.{amount % 100:02}"


def parse_rupees(text: str) -> Paise:
    """The amount of a decimal number of rupees. Raises ValueError for other text, and for a part of a paisa."""
    try:
        amount = _EXACT.multiply(Decimal(text), Decimal(100))
    except DecimalException as error:
        raise ValueError("not a number of rupees") from error
    if not amount.is_finite() or amount != amount.to_integral_value():
        raise ValueError("rupees have at most two decimals")
    return Paise(int(amount))


def show(amount: MicroCredits) -> str:
    """Credits as people read them: `12.5`, `0.000035`."""
    return f"{(Decimal(amount) / CREDIT).normalize():f}"


def parse_credits(text: str) -> MicroCredits:
    """The amount of a decimal number of credits. Raises ValueError for other text and for more than six decimals."""
    try:
        amount = _EXACT.multiply(Decimal(text), Decimal(CREDIT))
    except DecimalException as error:
        raise ValueError("not a number of credits") from error
    if not amount.is_finite() or amount != amount.to_integral_value():
        raise ValueError("credits have at most six decimals")
    return MicroCredits(int(amount))
