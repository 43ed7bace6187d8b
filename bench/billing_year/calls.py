"""Calls: held, settled, failed, or left behind by a process that died; refused exactly where the model says so."""

from bench.billing_year.money_model import ExpectedCall
from bench.billing_year.months import calendar_month
from bench.billing_year.tenants import YearTenant
from bench.billing_year.year import Year
from callmissed.aws.dynamodb import DynamoError
from callmissed.clock import MINUTE
from callmissed.errors import ApiError
from callmissed.ids import new_call_id
from callmissed.ledger.entries import Account, EntryType, LedgerEntry
from callmissed.ledger.holds import Hold
from callmissed.money import CREDIT, MicroCredits
from callmissed.plans.plans import Plan, limits
from tests.support.faults import Crash, Fault

_LIFETIME = 2
"""Minutes."""

_HOLDING = ([Fault.LOSE_ANSWER], [Fault.DELAY], [Fault.DIE_AFTER], [Fault.DIE_IN_FLIGHT], [Fault.THROTTLE])
_SETTLING = tuple([None] * depth + [fault] for depth in (0, 1) for fault in Fault)


async def call(year: Year, tenant: YearTenant, amount: int, *, service: str = "llm", ends: str = "settled") -> bool:
    """One call that may cost `amount`; whether it was admitted."""
    money = tenant.money
    if money.turn(year.now, by_call=True):
        year.did(f"month, by a call on {money.plan}")
    bits = tenant.draw.getrandbits(60)
    expected = ExpectedCall(new_call_id(year.product.now, _LIFETIME, bits), service, amount, calendar_month(year.now))
    refusal = money.refusal(service, amount)
    try:
        hold = await _hold(year, tenant, expected)
    except ApiError as refused:
        year.did(f"call, {refused.code}")
        if tenant.is_sure:
            year.expect("refused call", tenant, refused.code, refusal)
        return False
    if tenant.is_sure:
        year.expect("admitted call", tenant, None, refusal)
    money.hold(expected)
    await _ended(year, tenant, hold, expected, ends)
    return True


async def spend(year: Year, tenant: YearTenant) -> None:
    """Some calls, of which each may cost a share of what is left."""
    for _ in range(tenant.draw.randint(1, 3)):
        amount = int(max(tenant.money.left, CREDIT) * tenant.draw.choice((0.02, 0.1, 0.4, 0.9)))
        await call(year, tenant, amount, ends=tenant.draw.choices([*_ENDS], [*_ENDS.values()])[0])
    if tenant.draw.random() < 0.25:
        await call(year, tenant, max(0, tenant.money.left) + CREDIT)


async def lose(year: Year, tenant: YearTenant) -> None:
    """A call whose hold goes wrong: nobody knows whether it stands, until the sweep has given it back."""
    money, amount = tenant.money, tenant.draw.randint(1, CREDIT)
    if money.month != calendar_month(year.now) or money.refusal("llm", amount) or not tenant.is_sure:
        return
    id = new_call_id(year.product.now, _LIFETIME, tenant.draw.getrandbits(60))
    year.product.dynamodb.faults.extend(tenant.draw.choice(_HOLDING))
    try:
        hold = await _hold(year, tenant, ExpectedCall(id, "llm", amount, money.month))
    except (Crash, DynamoError):
        tenant.doubts["lost"] += 1
        year.did("hold, broken")
        year.later((_LIFETIME + 1) * MINUTE, lambda: _forgotten(year, tenant))
    else:
        await year.product.ledger.release(hold)
    finally:
        year.product.dynamodb.faults.clear()


async def _forgotten(year: Year, tenant: YearTenant) -> None:
    await year.product.sweep_holds()
    tenant.doubts["lost"] -= 1


async def spend_all(year: Year, tenant: YearTenant) -> None:
    """A call that costs nearly all that is left."""
    most = min(tenant.money.left, tenant.money.budget_left)
    if tenant.is_sure and most > CREDIT:
        await call(year, tenant, most * 97 // 100, ends="dear")


async def exhaust(year: Year, tenant: YearTenant) -> None:
    """Calls until the quota of a service ends."""
    while await call(year, tenant, 0, service="stt", ends="settled"):
        pass


async def _hold(year: Year, tenant: YearTenant, expected: ExpectedCall) -> Hold:
    """Hold for the call, from the shard that its id names."""
    plan = Plan(tenant.money.plan)
    hold, _ = await year.product.ledger.hold(
        tenant.tenant_id,
        expected.call_id,
        expected.service,
        MicroCredits(expected.amount),
        shards=limits(plan).wallet_shards,
    )
    return hold


async def _ended(year: Year, tenant: YearTenant, hold: Hold, expected: ExpectedCall, ends: str) -> None:
    year.did(f"call, {ends}")
    if ends == "failed":
        await year.product.ledger.release(hold)
        tenant.money.settle(expected.call_id, None)
    elif ends == "died":
        _swept(year, tenant, expected, None)
    else:
        share = 1.0 if ends == "dear" else tenant.draw.uniform(0.2, 1.0)
        await _settle(year, tenant, hold, int(expected.amount * share), is_faulty=ends == "broken")


async def _settle(year: Year, tenant: YearTenant, hold: Hold, cost: int, *, is_faulty: bool) -> None:
    """Settle the call. Where the settlement breaks, the sweep finds its entry, or gives the hold back."""
    entry = LedgerEntry(
        tenant.tenant_id,
        hold.call_id,
        EntryType.DEDUCTION,
        MicroCredits(cost),
        Account.HELD,
        Account.REVENUE,
        year.product.now,
        held=(hold.amount, hold.attempt),
    )
    if not is_faulty:
        await year.product.ledger.settle(hold, entry)
        tenant.money.settle(hold.call_id, cost)
        return
    year.product.dynamodb.faults.extend(tenant.draw.choice(_SETTLING))
    try:
        await year.product.ledger.settle(hold, entry)
    except (Crash, DynamoError):
        year.did("settlement, broken")
    finally:
        year.product.dynamodb.faults.clear()
    _swept(year, tenant, tenant.money.held[hold.call_id], cost)


def _swept(year: Year, tenant: YearTenant, expected: ExpectedCall, cost: int | None) -> None:
    """Let the sweep come once the hold has expired; a call whose settlement broke was charged, or it was not."""
    tenant.doubts["calls"] += 1

    async def sweep() -> None:
        await year.product.sweep_holds()
        tenant.doubts["calls"] -= 1
        entry = await year.product.ledger.entry(tenant.tenant_id, expected.call_id)
        charged = cost is not None and entry is not None and entry.type is EntryType.DEDUCTION
        year.expect("closed call", tenant, entry and (entry.type, entry.amount), _entry(cost if charged else None))
        year.did(f"swept, {'charged' if charged else 'given back'}")
        tenant.money.settle(expected.call_id, cost if charged else None)

    year.later((_LIFETIME + 1) * MINUTE, sweep)


def _entry(cost: int | None) -> tuple[EntryType, int]:
    return (EntryType.VOID, 0) if cost is None else (EntryType.DEDUCTION, cost)


_ENDS = {"settled": 12, "failed": 3, "died": 2, "broken": 3}
