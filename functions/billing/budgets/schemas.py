"""API models of budgets; docs/api/openapi.json is made from them."""

from decimal import Decimal
from typing import Annotated, Any, Self

from pydantic import BaseModel, BeforeValidator, Field, StrictBool

from callmissed.ledger.queries import Balance
from callmissed.money import CREDIT, NOTHING, MicroCredits, credits
from callmissed.web.schemas import RequestModel

_MAX_CREDITS = 10_000_000


def _number(value: Any) -> Any:
    """A JSON number, as its digits: neither text nor true or false."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("it is no number")
    return Decimal(repr(value))


Credits = Annotated[Decimal, BeforeValidator(_number), Field(ge=0, le=_MAX_CREDITS, decimal_places=6)]


class BudgetChange(RequestModel):
    """The budget as it is to be; what is left out is back at its default. A budget of null is none, 0 stops calls."""

    monthly_budget_credits: Credits | None
    alerts_enabled: StrictBool = Field(default=True, description="Whether events report 80, 95 and 100 %.")
    low_credits_threshold: int | None = Field(
        default=None, ge=0, le=_MAX_CREDITS, description="`credits.low` below so many credits; null is the platform's."
    )

    @property
    def budget(self) -> MicroCredits | None:
        """The budget; None for none."""
        wanted = self.monthly_budget_credits
        return None if wanted is None else MicroCredits(int(wanted * CREDIT))


class BudgetOut(BaseModel):
    """The budget of the month `period_start`, and what is used of it.

    `remaining_credits` leaves out what is set aside for calls in flight. It is null without a budget.
    """

    monthly_budget_credits: float | None
    period_start: str
    period_used_credits: float
    remaining_credits: float | None
    alerts_enabled: bool
    low_credits_threshold: int | None

    @classmethod
    def of(cls, money: Balance) -> Self:
        """The budget."""
        left = money.budget_left
        return cls(
            monthly_budget_credits=None if money.budget is None else credits(money.budget),
            period_start=f"{money.month // 100}-{money.month % 100:02}",
            period_used_credits=credits(money.spent),
            remaining_credits=None if left is None else credits(max(NOTHING, left)),
            alerts_enabled=money.alerts,
            low_credits_threshold=money.low_credits,
        )
