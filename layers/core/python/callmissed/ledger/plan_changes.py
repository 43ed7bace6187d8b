"""The wallets of a tenant whose plan changes.

This month's calls count on: what is left of the old quota becomes what is left of the new one after as many calls, and
may be less than nothing. A plan that spreads the wallet over fewer items takes the credits and the budget of the others
along; what calls in flight give back to those later is borrowed from them (callmissed.ledger.shards).
"""

from collections.abc import Sequence
from dataclasses import replace

from callmissed.aws.operations import WriteOperation
from callmissed.ledger.records import change_plan_operation, shift_operation, still_has
from callmissed.ledger.shards import Shift, active_shards, spread
from callmissed.ledger.wallet import Wallet, fresh_quotas
from callmissed.plans.plans import Plan


def change_plan_operations(wallets: Sequence[Wallet], plan: Plan) -> list[WriteOperation]:
    """Operations that put the tenant's wallets, all of them as they were read, on `plan`.

    A condition fails where a month began, another change was made, or a call took what moves: read again.
    """
    first = replace(wallets[0], plan=str(plan))
    old, new = fresh_quotas(wallets[0].plan), fresh_quotas(plan)
    gained = {service: new[service] - old[service] for service in new}
    own, *others = _shifts([first, *wallets[1:]])
    return [
        change_plan_operation(wallets[0], str(plan), gained, own.credits, own.budget),
        *(
            shift_operation(wallet.wallet_id, *shift, expected=still_has(*shift))
            for wallet, shift in zip(wallets[1:], others, strict=True)
            if any(shift)
        ),
    ]


def _shifts(wallets: Sequence[Wallet]) -> list[Shift]:
    """What moves between the wallets, so that those which the plan has no use for end empty."""
    active = active_shards(wallets)
    if active == len(wallets):
        return [Shift(0, 0)] * active
    held = [wallet.held for wallet in wallets]
    credits = _moved([wallet.available for wallet in wallets], held, active)
    budgets = [0] * len(wallets)
    if wallets[0].has_budget:
        budgets = _moved([wallet.budget_left for wallet in wallets], held, active)
    return [Shift(*each) for each in zip(credits, budgets, strict=True)]


def _moved(amounts: Sequence[int], held: Sequence[int], active: int) -> list[int]:
    targets = spread(sum(amounts), held, active)
    return [target - amount for target, amount in zip(targets, amounts, strict=True)]
