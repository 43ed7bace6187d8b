"""The product compared with the models: each month, and at the end of the year."""

import json
import re
from collections import Counter
from typing import Any

from bench.billing_year.money_model import Movement
from bench.billing_year.months import calendar_month
from bench.billing_year.tenants import YearTenant
from bench.billing_year.year import Year
from callmissed.ledger.entries import Account, EntryType
from callmissed.ledger.history.transactions import TransactionFilter, transactions
from callmissed.ledger.queries import Balance, balance
from callmissed.money import CREDIT
from callmissed.plans.plans import UNLIMITED, limits
from callmissed.platform.tables import AUDIT, BILLING, KEYS, LEDGER, OUTBOX, Table
from callmissed.tenants.tenants import get_tenant
from functions.billing.overview.schemas import BillingOut
from functions.billing.payments.records import order_of_gateway

_PAGE = 200
_NAMES = re.compile(r"tnt_[0-9a-f]{24}|cm_[0-9a-f]{16}")
_CALLS = (EntryType.DEDUCTION, EntryType.VOID)


async def check_month(year: Year) -> None:
    """Wallets agree with their entries, and with the models where these are sure."""
    report = await year.product.reconcile()
    for drift in report.drifts:
        year.blame(f"a wallet and its entries disagree: {drift}")
    year.expect_none("tenants that could not be compared", report.unread)
    for tenant in year.tenants:
        tenant.advance(year.now)
        await year.check_plan(tenant)
        if tenant.is_sure:
            year.did("balance, compared")
            await check_balance(year, tenant)


async def check_balance(year: Year, tenant: YearTenant) -> None:
    """Credits, budget, quotas and calls of the month are the expected ones."""
    found = await balance(year.product.plain, tenant.tenant_id, year.product.now)
    year.expect("money", tenant, _found_money(found), _expected_money(tenant, year.now))


async def check_end(year: Year) -> None:
    """Everything that is stored, and everything at the gateway, is as the models say."""
    await check_month(year)
    accounts, kept = Counter[str](), _kept_at_gateway(year)
    for tenant in year.tenants:
        year.expect("doubts", tenant, dict(+tenant.doubts), {})
        await _check_entries(year, tenant, accounts)
        await _check_transactions(year, tenant)
        await _check_overview(year, tenant)
        await _check_orders(year, tenant, kept)
        await _check_keys(year, tenant)
    year.expect_none("credits that come from nowhere", [dict(accounts)] if sum(accounts.values()) else [])
    year.done["plan, lapsed"] = sum(tenant.plan.lapses for tenant in year.tenants)
    await _check_tenants_apart(year)


def _found_money(found: Balance) -> dict[str, Any]:
    return {
        "plan": found.plan,
        "left": found.available - found.debt,
        "held": found.held,
        "granted": found.granted,
        "returned": found.returned,
        "spent ever": found.spent_ever,
        "spent": found.spent,
        "budget": found.budget,
        "calls": {service: count for service, count in found.calls_made.items() if count},
        "quotas": dict(found.quotas_left),
    }


def _expected_money(tenant: YearTenant, now: int) -> dict[str, Any]:
    money = tenant.money
    is_new = money.month < calendar_month(now)
    calls = Counter[str]() if is_new else money.calls
    quotas = limits(money.plan).monthly_quotas
    return {
        "plan": str(money.plan),
        "left": money.left,
        "held": money.in_flight,
        "granted": money.granted,
        "returned": money.returned,
        "spent ever": money.spent_ever,
        "spent": 0 if is_new else money.spent,
        "budget": money.budget,
        "calls": {service: count for service, count in calls.items() if count},
        "quotas": {
            service: max(0, count - calls[service]) if count < UNLIMITED else None for service, count in quotas.items()
        },
    }


async def _check_entries(year: Year, tenant: YearTenant, accounts: Counter[str]) -> None:
    """Every movement has its entry, once; every charge is a call's that was settled."""
    movements, charges = Counter[Movement](), dict[str, int]()
    async for entry in year.product.plain.query(LEDGER, tenant.tenant_id, consistent=True):
        accounts[entry["debit"]] -= entry["amount"]
        accounts[entry["credit"]] += entry["amount"]
        if entry["type"] == EntryType.DEDUCTION:
            charges[entry["entry"]] = entry["amount"]
        elif entry["type"] not in _CALLS:
            sign = 1 if entry["credit"] == Account.AVAILABLE else -1
            movements[Movement(entry["type"], entry["reference"], sign * entry["amount"])] += 1
    year.expect("entries not expected", tenant, dict(movements - tenant.money.movements), {})
    year.expect("entries missing", tenant, dict(tenant.money.movements - movements), {})
    year.expect("charges", tenant, charges, tenant.money.charges)


async def _check_transactions(year: Year, tenant: YearTenant) -> None:
    """The history that the tenant is shown adds up to its balance, line by line."""
    expected, cursor = tenant.money.left, "~"
    while cursor:
        page = await transactions(
            year.product.plain, tenant.tenant_id, TransactionFilter(), year.product.now, limit=_PAGE, below=cursor
        )
        for row in page.transactions:
            year.expect("balance after", tenant, row.balance_after, expected)
            expected -= row.entry.change
        cursor = page.next or ""
    year.expect("balance before all", tenant, expected, 0)


async def _check_overview(year: Year, tenant: YearTenant) -> None:
    """The page of plan and use shows the same."""
    product, id, now = year.product, tenant.tenant_id, year.product.now
    record = await get_tenant(product.plain, id, consistent=True)
    subscription = await product.subscriptions.records.get(id)
    shown = BillingOut.of(record, await balance(product.plain, id, now), subscription, now)
    wanted = _expected_money(tenant, now)
    found = (shown.plan, shown.credit_balance, shown.spent_credits, shown.subscription.is_renewed)
    year.expect(
        "overview",
        tenant,
        found,
        (
            str(tenant.plan.plan),
            max(0, tenant.money.left) / CREDIT,
            wanted["spent"] / CREDIT,
            bool(tenant.plan.renewal),
        ),
    )


async def _check_orders(year: Year, tenant: YearTenant, kept: Counter[str]) -> None:
    """Each order has the money that the gateway has of it; each that is paid was reported once."""
    orders = year.product.purchases.composition.orders
    for order in tenant.orders.values():
        found = await orders.get(tenant.tenant_id, order.order_id)
        is_paid = str(found.status) in ("paid", "refunded")
        year.expect("payment", tenant, is_paid, order.is_paid)
        sums = (found.status == "refunded", found.refunded, found.paid_back, found.returned)
        wanted = (order.is_refunded and order.amount > 0, order.refunded, order.paid_back, order.returned)
        year.expect(f"refunds of order {order.order_id}", tenant, sums, wanted)
        ours = order.amount - order.paid_back + order.lost if order.is_paid else 0
        year.expect(f"money of order {order.order_id} at the gateway", tenant, kept[order.order_id], ours)


def _kept_at_gateway(year: Year) -> Counter[str]:
    """Paise that the gateway has kept of each order, over all its attempts."""
    kept: Counter[str] = Counter()
    for id, fake in year.product.cashfree.state.orders.items():
        refunds = (refund.amount for refund in fake.refunds.values() if refund.status == "SUCCESS")
        kept[order_of_gateway(id)] += round(fake.paid * 100) - sum(round(amount * 100) for amount in refunds)
    return kept


async def _check_keys(year: Year, tenant: YearTenant) -> None:
    """The plan is in the record, and in every key with its rate."""
    record = await get_tenant(year.product.plain, tenant.tenant_id, consistent=True)
    year.expect("plan of the record", tenant, record.plan, tenant.plan.plan)
    for key in await year.product.keys.keys_of(tenant.tenant_id):
        rate = tenant.keys[key.key_id] or limits(tenant.plan.plan).default_rpm
        for key_hash in key.hashes:
            item = await year.product.plain.get(KEYS, {"id": key_hash})
            found = (item["plan"], item["rpm"], key.rpm)
            year.expect("key", tenant, found, (str(tenant.plan.plan), rate, rate))


async def _check_tenants_apart(year: Year) -> None:
    """Nothing of a tenant names another tenant, or an order of another; each paid order has one event."""
    owners = {tenant.tenant_id: tenant.tenant_id for tenant in year.tenants}
    owners |= {order: tenant.tenant_id for tenant in year.tenants for order in tenant.orders}
    for table in (LEDGER, OUTBOX, AUDIT, BILLING):
        async for item in year.product.plain.scan(table):
            _check_owner(year, table, item, owners)
    paid = Counter(
        order for tenant in year.tenants for order, made in tenant.orders.items() if made.is_paid and made.amount
    )
    succeeded: Counter[str] = Counter()
    async for item in year.product.plain.scan(OUTBOX):
        if item.get("type") == "payment.succeeded":
            succeeded[json.loads(item["body"])["data"]["order_id"]] += 1
    year.expect_none("payments without an event, or with two", [*(paid - succeeded), *(succeeded - paid)])


def _check_owner(year: Year, table: Table, item: dict[str, Any], owners: dict[str, str]) -> None:
    tenant = item.get("tenant", "")
    if tenant in owners:
        year.did(f"items of {table.name}")
        named = {owners.get(name, "") for name in _NAMES.findall(json.dumps(item, default=str))}
        year.expect_none(f"items of {table.name} that name others", [item] if named - {tenant} else [])
