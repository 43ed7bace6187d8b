"""Ledger entries: the immutable record of every movement of money.

An entry names the account that money leaves and the one that it enters, so that over any set of entries
the accounts sum to zero. A call's entry has the call's id, so it can be written once only.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from callmissed.aws.attributes import Item
from callmissed.clock import Micros
from callmissed.money import NOTHING, MicroCredits

_ID = "entry"
"""Attribute of the table that stores `LedgerEntry.entry_id`."""


class Account(StrEnum):
    """An account of the double entry. The prefix `tenant:` marks the tenant's two; the others are the platform's."""

    AVAILABLE = "tenant:available"
    HELD = "tenant:held"
    REVENUE = "revenue"
    PAYMENTS = "payments"
    PROMOTION = "promotion"


class EntryType(StrEnum):
    """Why money moved. VOID has the amount 0: it closes a call that never settled."""

    DEDUCTION = "deduction"
    VOID = "void"
    ADMIN = "admin"
    PURCHASE = "purchase"
    SIGNUP_BONUS = "signup_bonus"
    PLAN_GRANT = "plan_grant"
    COUPON = "coupon"
    REFUND = "refund"


class Outcome(StrEnum):
    """How a billed call ended. RUNAWAY: its reply was stopped far above its output limit."""

    COMPLETED = "completed"
    CLIENT_CLOSED = "client_closed"
    UPSTREAM_BROKE = "upstream_broke"
    RUNAWAY = "runaway"


@dataclass(frozen=True, slots=True)
class UsageLine:
    """A `quantity` of `unit` at `price` micro-credits per `per` of them."""

    unit: str
    quantity: int
    price: int
    per: int


@dataclass(frozen=True, slots=True)
class Try:
    """A request to an upstream that did not serve the call: provider, model and, in a word or a status, why not."""

    provider: str
    model: str
    outcome: str


@dataclass(frozen=True, slots=True)
class Usage:
    """What a call used and at which price: enough to recompute its amount.

    The amount is the sum of the lines, rounded half up once (`callmissed.money.cost`). `estimated` is true when the
    provider reported no usage, so that the tokens were counted here. `model` is the one that is billed, `served` the
    one that served where it is another. `tries` are those that failed before.
    """

    service: str
    model: str
    provider: str
    lines: tuple[UsageLine, ...] = ()
    price_version: str = ""
    estimated: bool = False
    outcome: Outcome = Outcome.COMPLETED
    streamed: bool = False
    latency_ms: int = 0
    first_byte_ms: int = 0
    key_id: str = ""
    upstream_id: str = ""
    served: str = ""
    tries: tuple[Try, ...] = ()

    @property
    def quantities(self) -> Mapping[str, int]:
        """Quantity by unit."""
        return {line.unit: line.quantity for line in self.lines}


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """One movement of `amount` from `debit` to `credit`, at `created`.

    `held` is the hold that the entry resolves, as [amount, attempt]; `shortfall` is the part of the cost above the
    hold, which is not charged.
    """

    tenant: str
    entry_id: str
    type: EntryType
    amount: MicroCredits
    debit: Account
    credit: Account
    created: Micros
    held: tuple[int, int] | None = None
    shortfall: MicroCredits = NOTHING
    description: str = ""
    reference: str = ""
    sandbox: bool = False
    usage: Usage | None = None

    @property
    def change(self) -> MicroCredits:
        """What the entry adds to the tenant's credits: negative where credits are spent or taken back."""
        return MicroCredits(self.amount if self.credit is Account.AVAILABLE else -self.amount)


def entry_of(item: Item) -> LedgerEntry:
    """The entry that `item` stores."""
    usage, held = item.get("usage"), item.get("held")
    fields: Item = {name: value for name, value in item.items() if name != _ID} | {
        "entry_id": item[_ID],
        "type": EntryType(item["type"]),
        "debit": Account(item["debit"]),
        "credit": Account(item["credit"]),
        "held": (held[0], held[1]) if held else None,
        "usage": _usage_of(usage) if usage else None,
    }
    return LedgerEntry(**fields)


def _usage_of(item: Item) -> Usage:
    lines = tuple(UsageLine(**line) for line in item["lines"])
    tries = tuple(Try(*each) for each in item.get("tries", ()))
    fields: Item = item | {"outcome": Outcome(item["outcome"]), "lines": lines, "tries": tries}
    return Usage(**fields)


def to_record(entry: LedgerEntry) -> Item:
    """The table's item for `entry`; empty fields are left out."""
    record = _filled(entry)
    record[_ID] = record.pop("entry_id")
    if entry.usage is not None:
        lines = [
            {"unit": line.unit, "quantity": line.quantity, "price": line.price, "per": line.per}
            for line in entry.usage.lines
        ]
        tries = [[each.provider, each.model, each.outcome] for each in entry.usage.tries]
        record["usage"] = _filled(entry.usage) | {"lines": lines} | ({"tries": tries} if tries else {})
    return record


def _filled(part: LedgerEntry | Usage) -> Item:
    fields = ((name, getattr(part, name)) for name in part.__slots__)  # `asdict` copies deeply: 37 calls an entry
    return {name: value for name, value in fields if value is not None and value is not False and value not in ("", ())}


def void(tenant: str, call_id: str, now: Micros, reason: str, held: tuple[int, int] | None = None) -> LedgerEntry:
    """The entry, of amount 0, that closes a call which never settled. `held` as in LedgerEntry."""
    kind, debit, credit = EntryType.VOID, Account.HELD, Account.AVAILABLE
    return LedgerEntry(tenant, call_id, kind, NOTHING, debit, credit, now, held=held, description=reason)
