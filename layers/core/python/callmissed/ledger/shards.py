"""Wallets in shards, for tenants with too many calls for one item.

About twenty holds in flight make a wallet grow past 1 KB, and every write to it then costs double; one item also takes
1,000 writes a second at most. A tenant whose plan says so has several wallets, each with a share of the credits and
of the budget, and each keeps the wallet's equations on its own. A call's id determines its shard. When
that shard can't pay, it borrows once: one transaction levels the credits of all shards, or, when the sum is low, moves
all of them into this one. Shards are for plans without monthly quotas; levelling does not move call counters.

The number of shards belongs to the wallet: the first one counts all that were ever made, and readers go over these. A
tenant whose plan no longer spreads its wallet keeps its credits in the first; what the others get back, from calls
that were in flight, comes to the first when a call needs it (`borrow`), and each month (`drain`).
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import NamedTuple
from weakref import WeakValueDictionary

from callmissed.aws.comparisons import Comparison
from callmissed.aws.database import Database
from callmissed.aws.dynamodb import TransactionCanceled, Unavailable
from callmissed.aws.operations import WriteOperation
from callmissed.clock import Micros, month_of
from callmissed.errors import ApiError
from callmissed.ledger.errors import refusal
from callmissed.ledger.records import (
    count_shards_operation,
    plan_operation,
    put_new_wallet,
    shift_operation,
    start_month,
    status_operation,
    still_has,
    wallet_of,
)
from callmissed.ledger.wallet import ACTIVE, NO_BUDGET, SERVICES, Wallet, fresh_quotas, new_wallet
from callmissed.money import NOTHING, MicroCredits, total
from callmissed.plans.plans import Plan, limits
from callmissed.platform.tables import WALLETS

_TRIES = 10
_SHARD_PLAN = Plan.ENTERPRISE
"""Plan of every wallet but the first: it has no monthly quotas, also where the tenant has left it."""


def wallet_id(tenant: str, shard: int) -> str:
    """Id of one of the tenant's wallets; every tenant has shard 0."""
    return f"{tenant}#{shard}" if shard else tenant


def owner(wallet: str) -> tuple[str, int]:
    """Tenant and shard of a wallet's id."""
    tenant, _, shard = wallet.partition("#")
    return tenant, int(shard or 0)


def shard_of(call_id: str, shards: int) -> int:
    """The shard in which the call holds: by the last of its random letters."""
    return int(call_id[-1:].encode()[0]) % shards


class Shift(NamedTuple):
    """Changes of a wallet's credits and budget, in micro-credits."""

    credits: int
    budget: int


def shares(wallets: Sequence[Wallet], taker: int, need: MicroCredits) -> list[Shift]:
    """The shift of each wallet after which the taker can hold `need` and the rest is level.

    The changes of credits, and of budgets, sum to zero and leave no wallet below zero. The taker ends with `need` and
    an equal share of the rest, so a sum that is just enough moves into it entirely. A wallet without a budget gets no
    share of one. Wallets that the plan has no use for end empty.
    """
    active = active_shards(wallets)
    credits = _levelled([wallet.available for wallet in wallets], taker, need, active)
    budgets = [0] * len(wallets)
    if wallets[0].has_budget:
        budgets = _levelled([wallet.budget_left for wallet in wallets], taker, need, active)
    return [Shift(*each) for each in zip(credits, budgets, strict=True)]


def active_shards(wallets: Sequence[Wallet]) -> int:
    """In how many of the tenant's wallets calls hold, by its plan."""
    return min(len(wallets), limits(wallets[0].plan).wallet_shards)


def _levelled(amounts: Sequence[int], taker: int, need: MicroCredits, active: int) -> list[int]:
    targets = spread(sum(amounts) - need, amounts, active, taker)
    targets[taker] += need
    return [target - amount for target, amount in zip(targets, amounts, strict=True)]


def spread(amount: int, held: Sequence[int], active: int, odd_to: int = 0) -> list[int]:
    """`amount` over wallets with these holds: level over the first `active` ones, or as a debt if it is below zero.

    A debt is where holds are, up to each: what a hold gives back pays the debt, and makes no wallet able to pay for a
    call while the tenant owes. A micro-credit of it is in each active one, so that all refuse free calls too; what no
    hold covers is in the first.
    """
    if amount >= 0:
        level, odd = divmod(amount, active)
        targets = [level if shard < active else 0 for shard in range(len(held))]
        targets[odd_to] += odd
        return targets
    owed, debts = -amount, [0] * len(held)
    for most in ([int(shard < active) for shard in range(len(held))], held):
        for shard, each in enumerate(most):
            more = min(max(0, each - debts[shard]), owed)
            debts[shard] += more
            owed -= more
    debts[0] += owed
    return [-debt for debt in debts]


def credit_operations(wallets: Sequence[Wallet], change: MicroCredits) -> list[WriteOperation]:
    """Operations that add `change` to the tenant's credits; below zero they are returned, and may end in a debt.

    A wallet in debt is paid first. Where one wallet has to give to another, a condition may fail: read again.
    """
    operations: list[WriteOperation] = []
    returned = MicroCredits(max(0, -change))
    for wallet, target in zip(wallets, _after_change(wallets, change), strict=True):
        moved = Shift(target - wallet.available, 0)
        keeps: Mapping[str, Comparison] = _keeps(wallet, moved) if len(wallets) > 1 else {}
        if moved.credits or returned:
            operations.append(shift_operation(wallet.wallet_id, *moved, returned=returned, expected=keeps))
        returned = NOTHING  # the first wallet counts it for all
    return operations


def _keeps(wallet: Wallet, shift: Shift) -> Mapping[str, Comparison]:
    """The condition that a wallet still has what leaves it. One that is to owe needs none: it owes more then."""
    credits = shift.credits if wallet.available + shift.credits >= 0 else 0
    budget = shift.budget if wallet.budget_left + shift.budget >= 0 else 0
    return still_has(credits, budget)


def _after_change(wallets: Sequence[Wallet], change: MicroCredits) -> list[int]:
    amounts: list[int] = [wallet.available for wallet in wallets]
    if change < 0 or min(amounts) < 0:
        return spread(sum(amounts) + change, [wallet.held for wallet in wallets], active_shards(wallets))
    return [amounts[0] + change, *amounts[1:]]


def _collected(wallets: Sequence[Wallet], active: int) -> list[Shift]:
    """The shift of each wallet after which all credits and the budget are in the first `active` ones."""
    held = [wallet.held for wallet in wallets]
    credits, budgets = (
        spread(sum(amounts), held, active)
        for amounts in ([wallet.available for wallet in wallets], [wallet.budget_left for wallet in wallets])
    )
    if not wallets[0].has_budget:
        budgets = [wallet.budget_left for wallet in wallets]
    return [
        Shift(credit - wallet.available, budget - wallet.budget_left)
        for wallet, credit, budget in zip(wallets, credits, budgets, strict=True)
    ]


async def read_wallets(database: Database, tenant: str, shards: int) -> list[Wallet]:
    """The tenant's existing wallets, in order, strongly consistent. Raises Unavailable."""
    found = await database.get_all(WALLETS, [{"id": wallet_id(tenant, shard)} for shard in range(shards)])
    return [wallet_of(item) for item in found]


async def all_wallets(database: Database, tenant: str) -> list[Wallet]:
    """Every wallet that the tenant has, in order, strongly consistent; none where it is unknown. Raises Unavailable."""
    found = await read_wallets(database, tenant, 1)
    if found and (shards := found[0].max_shards) > 1:
        return await read_wallets(database, tenant, shards)
    return found


async def apply_status(database: Database, tenant: str, status: str, fence: WriteOperation) -> int:
    """Give the tenant's further wallets the `status` of its first one, if `fence` holds; returns how many differed.

    A shard that is made later gets the first one's. Raises TransactionCanceled, Unavailable.
    """
    behind = [wallet for wallet in await all_wallets(database, tenant) if wallet.status != status]
    if behind:
        await database.transact([fence, *(status_operation(wallet.wallet_id, status) for wallet in behind)])
    return len(behind)


async def transact_fresh(
    database: Database,
    operations_of: Callable[[], Awaitable[list[WriteOperation]]],
    fixed: Sequence[WriteOperation] = (),
) -> bool:
    """Execute `fixed` and the operations for the wallets as they are now, or neither; False where there are none.

    Where a wallet changed meanwhile, its operations are asked for again. Raises TransactionCanceled when a condition
    of `fixed` does not hold (its reasons come first), Unavailable when the wallets keep changing.
    """
    for _ in range(_TRIES):
        operations = await operations_of()
        if not operations:
            return False
        try:
            await database.transact([*fixed, *operations])
        except TransactionCanceled as cancelled:
            if "ConditionalCheckFailed" in cancelled.reasons[: len(fixed)]:
                raise
            await asyncio.sleep(random.uniform(0, 0.05))  # noqa: S311
        else:
            return True
    raise Unavailable("the wallets kept changing", indeterminate=False)


async def change_plan(
    database: Database, tenant: str, plan: Plan, now: Micros, also: Sequence[WriteOperation] = ()
) -> bool:
    """Give the tenant's wallets another plan, and execute `also`; both or neither. This month's calls count on.

    Where the plan has fewer wallets, their credits and budget come along. False when the tenant has the plan, and
    nothing was executed. Raises ApiError 404, TransactionCanceled when a condition of `also` does not hold,
    Unavailable.
    """

    async def operations() -> list[WriteOperation]:
        wallets = await all_wallets(database, tenant)
        if not wallets:
            raise ApiError(404, "not_found", "No such tenant.")
        if wallets[0].plan == plan:
            return []
        month = max(month_of(now), *(wallet.month for wallet in wallets))
        if behind := [wallet for wallet in wallets if wallet.month < month]:
            for wallet in behind:
                await start_month(database, wallet, month, with_grant=False)
            wallets = await all_wallets(database, tenant)
        return _plan_operations(wallets, plan)

    return await transact_fresh(database, operations, also)


async def drain(database: Database, tenant: str) -> bool:
    """Bring credits that are in wallets which the tenant's plan has no use for to the first; False if there are none.

    Raises Unavailable.
    """

    async def operations() -> list[WriteOperation]:
        wallets = await all_wallets(database, tenant)
        if not wallets or len(wallets) == active_shards(wallets):
            return []
        return _shift_operations(wallets, _collected(wallets, active_shards(wallets)))

    return await transact_fresh(database, operations)


def _plan_operations(wallets: Sequence[Wallet], plan: Plan) -> list[WriteOperation]:
    """Operations of another plan. What the calls of further wallets counted in the first one's month counts there."""
    first, shards = wallets[0], limits(plan).wallet_shards
    shifts = [Shift(0, 0)] * len(wallets) if shards >= len(wallets) else _collected(wallets, shards)
    before, after = fresh_quotas(first.plan), fresh_quotas(plan)
    more = {service: after[service] - before[service] for service in SERVICES}
    operations: list[WriteOperation] = []
    for wallet, shift in [*zip(wallets, shifts, strict=True)][1:]:
        fresh = fresh_quotas(wallet.plan) if wallet.month == first.month else wallet.quotas
        calls = {service: fresh[service] - wallet.quotas[service] for service in SERVICES}
        if any(shift) or any(calls.values()):
            operations.append(plan_operation(wallet, shift, calls, _keeps(wallet, shift)))
        more = {service: more[service] - calls[service] for service in SERVICES}
    count = max(first.shards, len(wallets))
    own = plan_operation(first, shifts[0], more, _keeps(first, shifts[0]), plan=plan, shards=count)
    return [own, *operations]


def _shift_operations(wallets: Sequence[Wallet], shifts: Sequence[Shift]) -> list[WriteOperation]:
    """The shifts, if every giving wallet still has its amount."""
    return [
        shift_operation(wallet.wallet_id, *shift, expected=_keeps(wallet, shift))
        for wallet, shift in zip(wallets, shifts, strict=True)
        if any(shift)
    ]


class Shards:
    """The shards of one stage's wallets table."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._borrowing: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def borrow(self, tenant: str, taker: int, shards: int, service: str, need: MicroCredits, now: Micros) -> None:
        """Bring at least `need` into the shard `taker`, in one transaction.

        Raises the wallet's refusal (ApiError) when all shards together can't pay, Unavailable when other calls
        keep changing them.
        """
        async with self._borrowing.setdefault(tenant, asyncio.Lock()):  # calls of one process take turns
            await self._borrow(tenant, taker, shards, service, need, now)

    async def _borrow(
        self, tenant: str, taker: int, shards: int, service: str, need: MicroCredits, now: Micros
    ) -> None:
        for _ in range(_TRIES):
            wallets = await self._read(tenant, shards)
            if await self._turned(wallets, month_of(now)):
                continue
            total = _sum(wallets)
            if total.status != ACTIVE or min(total.available, total.budget_left) < need:
                raise refusal(total, service, need, now)
            try:
                await self._move(wallets, shares(wallets, taker, need))
            except (TransactionCanceled, Unavailable):
                await asyncio.sleep(random.uniform(0, 0.05))  # noqa: S311
                continue  # a call changed a shard in between, or the answer was lost: read again
            return
        raise Unavailable("the shards kept changing", indeterminate=False)

    async def _read(self, tenant: str, shards: int) -> list[Wallet]:
        """All shards in order, strongly consistent; those that are missing are made."""
        found = await read_wallets(self._database, tenant, shards)
        if len(found) == shards:
            return found
        if not found or found[0].wallet_id != tenant:
            raise Unavailable("the wallets could not be read", indeterminate=False)
        await self._create(found, [wallet_id(tenant, shard) for shard in range(shards)])
        return await self._read(tenant, shards)

    async def _turned(self, wallets: list[Wallet], month: int) -> bool:
        """Start the month in the shards without a call in it yet: their counters are those of an earlier month."""
        behind = [wallet for wallet in wallets if wallet.month < month]
        for wallet in behind:
            await start_month(self._database, wallet, month)
        return bool(behind)

    async def _create(self, found: list[Wallet], ids: list[str]) -> None:
        """Write empty shards; does nothing when another call did so first, or status or budget have changed."""
        first, existing = found[0], {wallet.wallet_id for wallet in found}
        budget = NOTHING if first.has_budget else NO_BUDGET
        made = partial(new_wallet, plan=_SHARD_PLAN, month=first.month, budget=budget, status=first.status)
        missing = [put_new_wallet(made(each)) for each in ids if each not in existing]
        with suppress(TransactionCanceled):
            await self._database.transact([count_shards_operation(first, len(ids)), *missing])

    async def _move(self, wallets: list[Wallet], shifts: list[Shift]) -> None:
        """Apply the shifts if every giving shard still has its amount."""
        operations = _shift_operations(wallets, shifts)
        if operations:
            await self._database.transact(operations)


def _sum(wallets: list[Wallet]) -> Wallet:
    """One wallet with the sums of all, for the refusal's message."""
    first, left = wallets[0], total(wallet.budget_left for wallet in wallets)
    available = total(wallet.available for wallet in wallets)
    return replace(first, available=available, budget_left=left if first.has_budget else NO_BUDGET)
