"""API models of credits; docs/api/openapi.json is made from them."""

from collections.abc import Sequence
from typing import Literal, Self

from pydantic import BaseModel, Field

from callmissed.clock import Micros, iso
from callmissed.ids import is_call_id, started_at
from callmissed.ledger.entries import LedgerEntry
from callmissed.ledger.history.sums import EntrySums
from callmissed.ledger.history.transactions import Transaction, TransactionPage
from callmissed.ledger.queries import Balance
from callmissed.money import MicroCredits, credits, rupees
from callmissed.plans.price_lists import CreditPack, PriceList
from functions.billing.credits.costs import ServiceCost


class BalanceOut(BaseModel):
    """Credits that may be spent. `real_balance` leaves out what is left of the sign-up bonus, which is spent first.

    `held` is set aside for calls in flight. While there is a `debt`, nothing may be spent: credits were taken back that
    were spent already, and the next ones pay for them.
    """

    balance: float
    real_balance: float
    currency: Literal["INR"] = "INR"
    rate: str = "1 credit = ₹1"
    debt: float
    held: float

    @classmethod
    def of(cls, money: Balance) -> Self:
        """The balance."""
        return cls(
            balance=credits(money.available),
            real_balance=credits(MicroCredits(money.available - money.bonus_left)),
            debt=credits(money.debt),
            held=credits(money.held),
        )


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


class CostOut(BaseModel):
    """What a model costs, in credits for one `unit`: `price`, or `input` and `output` where it is priced by tokens."""

    model: str
    unit: str
    price: float | None = None
    input: float | None = None
    output: float | None = None

    @classmethod
    def of(cls, cost: ServiceCost) -> Self:
        """The cost."""
        return cls(
            model=cost.model,
            unit=cost.unit,
            price=_credits(cost.price),
            input=_credits(cost.input),
            output=_credits(cost.output),
        )


class PacksOut(BaseModel):
    """What is for sale: packs, and any other count of credits at `custom_rate` rupees each; and what services cost."""

    packs: list[PackOut]
    costs: dict[str, list[CostOut]]
    custom_min: int
    custom_max: int
    custom_rate: float

    @classmethod
    def of(cls, prices: PriceList, costs: Sequence[ServiceCost]) -> Self:
        """The price list, and the costs by service."""
        services = dict.fromkeys(cost.service for cost in costs)
        return cls(
            packs=[PackOut.of(pack) for pack in prices.packs],
            costs={name: [CostOut.of(cost) for cost in costs if cost.service == name] for name in services},
            custom_min=prices.min_credits,
            custom_max=prices.max_credits,
            custom_rate=rupees(prices.custom_price),
        )


class TransactionOut(BaseModel):
    """A movement of credits. `amount` is negative where credits were spent or taken back.

    `balance_after` is the sum of all movements up to this one, held credits included. A call's `created_at` is its
    start; its `reference_id` is the request's id.
    """

    id: str
    amount: float
    balance_after: float
    type: str
    description: str
    reference_id: str | None
    created_at: str

    @classmethod
    def of(cls, transaction: Transaction) -> Self:
        """The transaction."""
        entry = transaction.entry
        return cls(
            id=entry.entry_id,
            amount=credits(entry.change),
            balance_after=credits(transaction.balance_after),
            type=str(entry.type),
            description=entry.description,
            reference_id=entry.reference or (entry.entry_id if entry.type == "deduction" else None),
            created_at=iso(_moment(entry)),
        )


class TypeSummary(BaseModel):
    """How many transactions of a type there are, and what they add to the credits."""

    count: int
    total: float


class TransactionsOut(BaseModel):
    """A page of transactions. `summary_by_type` is over the whole filter, whatever the page."""

    data: list[TransactionOut]
    next_cursor: str | None = Field(description="Pass it as `cursor` for the next page; null after the last one.")
    summary_by_type: dict[str, TypeSummary]

    @classmethod
    def of(cls, page: TransactionPage) -> Self:
        """The page."""
        return cls(
            data=[TransactionOut.of(transaction) for transaction in page.transactions],
            next_cursor=page.next,
            summary_by_type=_summaries(page.sums),
        )


def _summaries(sums: EntrySums) -> dict[str, TypeSummary]:
    totals = {kind: credits(MicroCredits(sums.totals[kind])) for kind in sums.counts}
    return {str(kind): TypeSummary(count=sums.counts[kind], total=totals[kind]) for kind in sorted(sums.counts)}


def _credits(amount: MicroCredits | None) -> float | None:
    return None if amount is None else credits(amount)


def _moment(entry: LedgerEntry) -> Micros:
    """When it happened, by the id, which orders entries."""
    return started_at(entry.entry_id) if is_call_id(entry.entry_id) else entry.created
