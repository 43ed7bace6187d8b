"""The schedule `order-sweep`: asks the payment gateway about unpaid orders, every five minutes."""

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
def handler(event: dict[str, Any], _context: object) -> dict[str, int]:
    """Look at the orders that are due at `event["at"]` (ISO 8601)."""
    result = asdict(run(_sweep().run(at_micros(event))))
    _logger.info("looked after orders", extra=result)
    return result


@cache
def _sweep() -> OrderSweep:
    composition = PaymentsComposition(compose())
    return OrderSweep(composition.orders, composition.payments, composition.clock)
