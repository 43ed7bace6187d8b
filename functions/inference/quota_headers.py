"""Headers that say what a plan's month has left: ours, and Anthropic's."""

from callmissed.clock import SECOND, Micros, iso, month_of, month_start, seconds_to_next_month
from callmissed.ledger.wallet import fresh_quotas
from callmissed.plans.plans import UNLIMITED
from callmissed_ai.calls.call import Call

MESSAGES_QUOTA = "llm"
_ANTHROPIC = "anthropic-ratelimit-requests-"


def quota_headers(call: Call, quota: str) -> dict[str, str]:
    """The plan's month; a warning from 80 and 95 %. Nothing for a call without a wallet or a plan without a limit."""
    month = _month(call, quota)
    if month is None:
        return {}
    limit, left = month
    used = limit - left
    headers = {"X-Quota-Limit": str(limit), "X-Quota-Remaining": str(left)}
    if used * 100 >= limit * 80:
        severity = "critical" if used * 100 >= limit * 95 else "warning"
        headers["X-Usage-Warning"] = f"{severity}: {used}/{limit} {quota} calls this month"
    return headers


def anthropic_quota_headers(call: Call) -> dict[str, str]:
    """The plan's month of messages as Anthropic's SDKs read a rate limit."""
    month = _month(call, MESSAGES_QUOTA)
    if month is None:
        return {}
    limit, left = month
    return {
        f"{_ANTHROPIC}limit": str(limit),
        f"{_ANTHROPIC}remaining": str(left),
        f"{_ANTHROPIC}reset": iso(_next_month(call.started)),
    }


def _month(call: Call, quota: str) -> tuple[int, int] | None:
    """The limit of the plan's month and what is left of it."""
    left = call.wallet.quota_left if call.wallet else None
    limit = UNLIMITED if left is None else fresh_quotas(call.admitted.plan)[quota]
    return None if left is None or limit >= UNLIMITED else (limit, left)


def _next_month(now: Micros) -> Micros:
    return month_start(month_of(Micros(now + seconds_to_next_month(now) * SECOND)))
