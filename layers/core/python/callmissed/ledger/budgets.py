"""A tenant's monthly budget, and what it wants to know of its credits.

The budget is over all wallets of the tenant. What is left of it may end below zero: calls are refused then, until the
month turns or the budget is raised.
"""

from collections.abc import Sequence

from callmissed.aws.database import Database
from callmissed.aws.operations import WriteOperation
from callmissed.errors import ApiError
from callmissed.ledger.records import budget_operation, first_budget_operation
from callmissed.ledger.shards import active_shards, all_wallets, spread, transact_fresh
from callmissed.ledger.wallet import NO_BUDGET, Wallet
from callmissed.money import MicroCredits


async def set_budget(
    database: Database,
    tenant: str,
    budget: MicroCredits | None,
    *,
    alerts: bool = True,
    low_credits: int | None = None,
    also: Sequence[WriteOperation] = (),
) -> None:
    """Set the monthly budget, None for none, and execute `also`; both or neither. It holds from the next call on.

    `alerts` says whether the tenant wants events about its budget; `low_credits` is its threshold of few credits, None
    for the platform's.
    Raises ApiError 404, ValueError for a budget below zero or of a trillion credits or more, TransactionCanceled when a
    condition of `also` does not hold, Unavailable.
    """
    if budget is not None and not 0 <= budget < NO_BUDGET:
        raise ValueError("a budget is zero or more, and less than a trillion credits")

    async def operations() -> list[WriteOperation]:
        wallets = await all_wallets(database, tenant)
        if not wallets:
            raise ApiError(404, "not_found", "No such tenant.")
        first, *further = _changes(wallets, budget)
        return [
            first_budget_operation(wallets[0], first, alerts=alerts, low_credits=low_credits),
            *(budget_operation(wallet, change) for wallet, change in zip(wallets[1:], further, strict=True)),
        ]

    await transact_fresh(database, operations, also)


def _changes(wallets: Sequence[Wallet], budget: MicroCredits | None) -> list[int]:
    """Change of each wallet's budget. All of them are written, because the sum is right only if none has changed."""
    if budget is None:
        return [NO_BUDGET - wallet.budget for wallet in wallets]
    used = [wallet.budget - wallet.budget_left for wallet in wallets]
    left = spread(budget - sum(used), [wallet.held for wallet in wallets], active_shards(wallets))
    return [each + rest - wallet.budget for wallet, each, rest in zip(wallets, used, left, strict=True)]
