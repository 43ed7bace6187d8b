"""Errors of a refused hold, derived from the wallet that the failed write returned."""

from callmissed.clock import Micros, seconds_to_next_month
from callmissed.errors import ApiError, account_closed
from callmissed.ledger.wallet import ACTIVE, Wallet
from callmissed.money import NOTHING, MicroCredits, show
from callmissed.plans.plans import Plan, limits


class HoldRefused(ApiError):
    """402: the call may cost more than the wallet or the key has left. `affordable` is the accepted maximum."""

    affordable: MicroCredits = NOTHING


class WalletMissing(ApiError):
    """403: there is no such wallet."""


def refusal(wallet: Wallet | None, service: str, amount: MicroCredits, now: Micros) -> ApiError:
    """The error for a hold of `amount` that `wallet` refused at `now`.

    `wallet` is None for an unknown tenant.
    """
    if not wallet:
        return WalletMissing(403, "account_inactive", "This account is not active.")
    if wallet.status != ACTIVE:
        return account_closed(wallet.status)
    if wallet.has_used_up(service):
        return _quota_exceeded(wallet.plan, service, now)
    if wallet.available < amount:
        code, left, remedy = "insufficient_credits", f"{show(wallet.available)} are available", "Add credits"
    else:
        code, left, remedy = (
            "budget_exceeded",
            f"{show(wallet.budget_left)} are left of this month's budget",
            "Raise it",
        )
    refused = HoldRefused(
        402, code, f"This call may cost up to {show(amount)} credits and {left}. {remedy}, or make it smaller."
    )
    refused.affordable = min(wallet.available, wallet.budget_left)
    return refused


def _quota_exceeded(plan: str, service: str, now: Micros) -> ApiError:
    limit = limits(Plan(plan)).monthly_quotas[service]
    wait = seconds_to_next_month(now)
    message = f"Plan limit exceeded: {limit}/{limit} {service} calls this month."
    return ApiError(429, "quota_exceeded", message, headers={"Retry-After": str(wait)})
