"""The simulated year: its schedules and its tenants on one clock, day by day, and what there is at its end."""

import random
import time
from collections import Counter
from dataclasses import dataclass
from functools import partial

from bench.billing_year import audit
from bench.billing_year.buying import COUPONS, PLAN_WAYS, WAYS
from bench.billing_year.lives import CHARACTERS, on_period, sign_up
from bench.billing_year.money_model import ExpectedMoney
from bench.billing_year.months import first_of_next_month, moment_of
from bench.billing_year.plan_model import DAY
from bench.billing_year.product import CompressedProduct
from bench.billing_year.tenants import YearTenant
from bench.billing_year.year import TooMuchWrongError, Year
from callmissed.clock import MINUTE, SECOND, Micros
from callmissed.money import CREDIT, MicroCredits
from functions.billing.coupons.records import Coupon
from local.aws.tables import StageTables
from local.fakes.cashfree.fake import FakeCashfree
from tests.support.billing.purchases import OPERATOR

_FAULTY = 0.25
"""Share of the steps in which something goes wrong."""

_QUIET = 18 * DAY
"""What is under way at the end comes within this time."""

_LARGE = 10**6


@dataclass(frozen=True)
class YearPlan:
    """How many tenants live for how many days from the 29th of a month; the seed draws everything else."""

    seed: int
    tenants: int = 50
    days: int = 365
    year: int = 2026
    month: int = 1


_WAYS = (*(f"pack, {way}" for way in WAYS), *(f"plan, {way}" for way in PLAN_WAYS))
REQUIRED = (
    *_WAYS,
    "signed up, with a bonus",
    "plan, begun",
    "plan, refused",
    "plan, upgraded",
    "plan, upgraded twice",
    "plan, renewed early",
    "plan, renewed in grace",
    "plan, downgraded in grace",
    "plan, downgrade prepaid",
    "downgrade, scheduled",
    "downgrade, taken back",
    "downgrade, to free",
    "plan, lapsed",
    "plan, paid too late",
    "plan, given back",
    "plan, paid back",
    "plan, completed by the sweep",
    "given, enterprise",
    "given, free",
    "enterprise, left",
    "month, by a call on free",
    "month, by a call on enterprise",
    "month, by the schedule",
    "refund, all",
    "refund, part",
    "refund, bank pays later",
    "refund, bank pays at a second try",
    "refund, bank fails",
    "refund, bank reverses",
    "refund, dashboard",
    "dispute, lost",
    "dispute, won",
    "debt, made",
    "debt, paid",
    "coupon, redeemed",
    "coupon, refused",
    "budget",
    "adjusted",
    "call, failed",
    "call, insufficient_credits",
    "call, budget_exceeded",
    "call, quota_exceeded",
    "hold, broken",
    "settlement, broken",
    "swept, charged",
    "swept, given back",
    "balance, compared",
)
"""What happens in a whole year of fifty tenants, whatever its seed: else the year proves less than it says."""


@dataclass(frozen=True)
class YearReport:
    """How often each thing happened, what was broken on the way, and what was wrong."""

    plan: YearPlan
    done: Counter[str]
    broken: Counter[str]
    wrong: list[str]
    seconds: float

    @property
    def missing(self) -> list[str]:
        """What should have happened, and did not."""
        return [what for what in REQUIRED if not self.done[what]]


async def live(plan: YearPlan, tables: StageTables) -> YearReport:
    """Let the year pass, and compare."""
    began, starts = time.monotonic(), moment_of(plan.year, plan.month, 29)
    with FakeCashfree().serving() as cashfree:
        product = CompressedProduct(tables, cashfree, random.Random(f"{plan.seed} faults"), _FAULTY)
        product.purchases.now = starts
        year = Year(product, random.Random(plan.seed), starts + plan.days * DAY)
        year.on_period = partial(on_period, year)
        try:
            await _make_coupons(year)
            _invite(year, plan)
            _begin_schedules(year)
            await _pass(year, year.ends + _QUIET)
            await audit.check_end(year)
        except TooMuchWrongError:
            pass
        finally:
            await product.close()
    return YearReport(plan, year.done, product.broken, year.wrong, time.monotonic() - began)


def _invite(year: Year, plan: YearPlan) -> None:
    """Tenants sign up in the first three days, so that the anchors of many are the last days of a month."""
    characters = [*CHARACTERS]
    for number in range(plan.tenants):
        draw = random.Random(f"{plan.seed} {number}")
        id, character = f"tnt_{draw.getrandbits(96):024x}", characters[number % len(characters)]
        tenant = YearTenant(id, character, draw, ExpectedMoney(0))
        year.agenda.at(year.now + draw.randrange(3 * DAY), partial(sign_up, year, tenant))


def _begin_schedules(year: Year) -> None:
    """Sweeps each day, the month's turn and a comparison at each first of a month."""
    year.later(7 * MINUTE, partial(_sweep, year))
    year.agenda.at(first_of_next_month(year.now) + 20 * SECOND, partial(_turn, year))


async def _sweep(year: Year) -> None:
    await year.product.sweep_orders()
    callbacks = year.product.purchases.callbacks()
    await year.product.deliver(*(callback for callback in callbacks if year.draw.random() < 0.6))
    await year.product.sweep_holds()
    await year.sweep_subscriptions()
    year.later(DAY, partial(_sweep, year))


async def _turn(year: Year) -> None:
    await year.product.turn_month()
    for tenant in year.tenants:
        if not tenant.plan.is_free and tenant.money.turn(year.now, by_call=False):
            year.did("month, by the schedule")
    year.later(40 * MINUTE, partial(audit.check_month, year))
    year.agenda.at(first_of_next_month(year.now) + 20 * SECOND, partial(_turn, year))


async def _pass(year: Year, until: int) -> None:
    while following := year.agenda.next(until):
        moment, work = following
        await year.product.move_to(moment)
        await work()
    await year.product.move_to(until)


async def _make_coupons(year: Year) -> None:
    for code, credits in COUPONS.items():
        coupon = Coupon(code, MicroCredits(credits * CREDIT), _LARGE, 2, Micros(0), None, year.product.now)
        await year.product.coupons.create(coupon, OPERATOR)
