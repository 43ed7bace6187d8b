"""The schedule `order-sweep`: asks the gateway about unpaid orders and undecided refunds, every five minutes."""

from dataclasses import asdict
from functools import cache
from typing import Any

from callmissed.aws.runtime import at_micros, logs_failures, run
from callmissed.observability import get_logger
from functions.billing.composition import compose
from functions.billing.payments.sweep import OrderSweep
from functions.billing.payments_composition import PaymentsComposition

_logger = get_logger("order-sweep")


@logs_failures("order-sweep")
def handler(event: dict[str, Any], _context: object) -> dict[str, dict[str, int]]:
    """Look at the orders and refunds that are due at `event["at"]` (ISO 8601)."""
    now, composition = at_micros(event), _composition()
    sweep = OrderSweep(composition.orders, composition.payments, composition.clock)
    result = {"orders": asdict(run(sweep.run(now))), "refunds": asdict(run(composition.refund_sweep.run(now)))}
    _logger.info("looked after orders and refunds", extra=result)
    return result


@cache
def _composition() -> PaymentsComposition:
    return PaymentsComposition(compose())
