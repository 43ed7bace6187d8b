"""Errors of a refused hold, derived from the wallet that the failed write returned."""

from callmissed.clock import Micros, seconds_to_next_month
from callmissed.errors import ApiError, account_closed
from callmissed.ledger.wallet import ACTIVE, Wallet
from callmissed.money import NOTHING, MicroCredits, show
from callmissed.plans.plans import Plan, limits


class HoldRefused(ApiError):
    """402: the call may cost more than the wallet or the key has left. `affordable` is the accepted maximum.

    `shards` is how many wallets of the tenant may have credits, by the wallet that refused.
    """

    affordable: MicroCredits = NOTHING
    shards: int = 1


class WalletMissing(ApiError):
    """403: there is no such wallet."""

    shards: int = 1


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
    credits, budget = max(NOTHING, wallet.available), max(NOTHING, wallet.budget_left)
    refused = _too_expensive(wallet, amount) if wallet.available < amount else _over_budget(budget, amount)
    refused.headers = {"X-Credits-Balance": show(credits)}
    refused.affordable = min(credits, budget)
    refused.shards = wallet.shards
    return refused


def _too_expensive(wallet: Wallet, amount: MicroCredits) -> HoldRefused:
    left, owed = f"{show(max(NOTHING, wallet.available))} are available", ""
    if wallet.available < 0:
        owed = f"; {show(MicroCredits(-wallet.available))} are owed, which new credits pay first"
    message = f"This call may cost up to {show(amount)} credits and {left}{owed}. Add credits, or make it smaller."
    return HoldRefused(402, "insufficient_credits", message)


def _over_budget(left: MicroCredits, amount: MicroCredits) -> HoldRefused:
    message = f"This call may cost up to {show(amount)} credits and {show(left)} are left of this month's budget."
    return HoldRefused(402, "budget_exceeded", f"{message} Raise it, or make it smaller.")


def _quota_exceeded(plan: str, service: str, now: Micros) -> ApiError:
    limit = limits(Plan(plan)).monthly_quotas[service]
    wait = seconds_to_next_month(now)
    message = f"Plan limit exceeded: {limit}/{limit} {service} calls this month."
    return ApiError(429, "quota_exceeded", message, headers={"Retry-After": str(wait)})
