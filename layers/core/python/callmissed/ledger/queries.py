"""Queries of operators and tenants: a balance, and entries, newest first."""

from collections.abc import Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from callmissed.aws.comparisons import EXISTS, below
from callmissed.aws.database import Database, KeySelection
from callmissed.clock import Micros, month_of
from callmissed.errors import ApiError
from callmissed.ledger.entries import LedgerEntry, entry_of
from callmissed.ledger.shards import all_wallets
from callmissed.ledger.wallet import SERVICES, Wallet, fresh_quotas
from callmissed.money import NOTHING, MicroCredits
from callmissed.money import total as add
from callmissed.plans.plans import UNLIMITED, limits
from callmissed.platform.tables import LEDGER

MAX_ENTRIES = 1000
"""Maximum entries of one query."""


@dataclass(frozen=True, slots=True)
class Balance:
    """A tenant's money. `spent`, `quotas_left` and `calls_made` are of `month`, such as 202611.

    `available + held + spent_ever = granted - returned + debt`. None means no monthly budget, or a quota without limit.
    While there is a `debt`, nothing is available. `bonus` is the sign-up bonus, all time. `low_credits` is the
    tenant's own threshold in credits, None where it has none.
    """

    tenant: str
    plan: str
    status: str
    available: MicroCredits
    held: MicroCredits
    granted: MicroCredits
    spent_ever: MicroCredits
    month: int
    spent: MicroCredits
    budget: MicroCredits | None
    budget_left: MicroCredits | None
    quotas_left: Mapping[str, int | None]
    calls_made: Mapping[str, int]
    debt: MicroCredits = NOTHING
    returned: MicroCredits = NOTHING
    bonus: MicroCredits = NOTHING
    alerts: bool = True
    low_credits: int | None = None

    @property
    def bonus_left(self) -> MicroCredits:
        """Unspent sign-up bonus: it is spent before all other credits."""
        return max(NOTHING, min(self.available, MicroCredits(self.bonus - self.spent_ever - self.held)))


async def balance(database: Database, tenant: str, now: Micros) -> Balance:
    """The tenant's balance at `now`, strongly consistent.

    With shards, one that borrows at the same time is counted either before or after the transfer.
    Raises ApiError 404, Unavailable.
    """
    wallets = await all_wallets(database, tenant)
    if not wallets:
        raise ApiError(404, "not_found", "No such tenant.")
    return total(wallets, month_of(now))


async def newest_entries(
    database: Database, tenant: str, *, limit: int, before: str = "", calls_only: bool = False
) -> list[LedgerEntry]:
    """At most `limit` entries of the tenant, newest first, eventually consistent.

    `before` is the entry after which the last page ended. `calls_only` leaves out all but billed and sandbox calls.
    Raises ValueError for a limit outside 1 to 1000, Unavailable.
    """
    if not 1 <= limit <= MAX_ENTRIES:
        raise ValueError(f"the limit is 1 to {MAX_ENTRIES}")
    selection: KeySelection = {"newest_first": True, "limit": limit}
    if before:
        selection["sort"] = below(before)
    if calls_only:
        selection["where"] = {"usage": EXISTS}
    entries: list[LedgerEntry] = []
    async with aclosing(database.query(LEDGER, tenant, **selection)) as found:
        async for item in found:
            entries.append(entry_of(item))
            if len(entries) == limit:
                break
    return entries


def total(wallets: Sequence[Wallet], month: int) -> Balance:
    """One balance over all of a tenant's wallets, as of `month`, such as 202611.

    A month without a call yet begins with nothing spent.
    """
    first = wallets[0]
    spent_before = add(wallet.spent for wallet in wallets if wallet.month < month)
    monthly = limits(first.plan).monthly_quotas
    left = add(wallet.available for wallet in wallets)
    counters = fresh_quotas(first.plan) if first.month < month else first.quotas
    return Balance(
        tenant=first.wallet_id,
        plan=first.plan,
        status=first.status,
        available=max(NOTHING, left),
        held=add(wallet.held for wallet in wallets),
        granted=add(wallet.granted for wallet in wallets),
        spent_ever=add(wallet.spent_ever for wallet in wallets),
        month=max(month, *(wallet.month for wallet in wallets)),
        spent=add(wallet.spent for wallet in wallets if wallet.month >= month),
        budget=add(wallet.budget for wallet in wallets) if first.has_budget else None,
        budget_left=add([*(wallet.budget_left for wallet in wallets), spent_before]) if first.has_budget else None,
        quotas_left={
            service: max(0, counters[service]) if monthly[service] < UNLIMITED else None for service in SERVICES
        },
        calls_made=_calls_made(wallets, month),
        debt=max(NOTHING, MicroCredits(-left)),
        returned=add(wallet.returned for wallet in wallets),
        bonus=first.bonus,
        alerts=first.alerts,
        low_credits=first.low_credits,
    )


def _calls_made(wallets: Sequence[Wallet], month: int) -> Mapping[str, int]:
    """Successful calls of each service in `month`, over all wallets."""
    current = [(wallet, fresh_quotas(wallet.plan)) for wallet in wallets if wallet.month >= month]
    return {service: sum(fresh[service] - wallet.quotas[service] for wallet, fresh in current) for service in SERVICES}
