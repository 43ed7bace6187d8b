"""The worker of the queue `payments`: applies the payment gateway's callbacks.

A job names a stored callback, whose text is in the outbox. A callback about an order of another system is passed over.
One that can't be read fails, and SQS moves its job to `payments-dead` after all tries.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from callmissed.aws.database import Database
from callmissed.aws.dynamodb import Unavailable
from callmissed.errors import ApiError
from callmissed.integrations.callbacks import StoredCallback, UnprocessableError, callback_item, log_failed_callback
from callmissed.observability import count, get_logger
from functions.billing.payments.cashfree_answers import parsed, payment_of, readable
from functions.billing.payments.gateway import GatewayError
from functions.billing.payments.records import order_of_gateway
from functions.billing.payments.repository import Orders
from functions.billing.payments.settlement import OrderSettlement

_PAYMENT_TYPES = ("PAYMENT_SUCCESS_WEBHOOK", "PAYMENT_FAILED_WEBHOOK", "PAYMENT_USER_DROPPED_WEBHOOK")

_logger = get_logger("payment-worker")


class PaymentWorker:
    """Processes stored callbacks of the gateway in one stage. Processing is idempotent.

    `others` process the data of callbacks that are about no payment, by their types.
    """

    def __init__(
        self,
        database: Database,
        orders: Orders,
        settlement: OrderSettlement,
        others: Mapping[str, Callable[[Any], Awaitable[None]]],
    ) -> None:
        self._database = database
        self._orders = orders
        self._settlement = settlement
        self._processes = {**dict.fromkeys(_PAYMENT_TYPES, self._settle), **others}

    async def failures(self, records: Sequence[dict[str, Any]]) -> list[str]:
        """Process SQS's `records`; returns the ids of those that failed."""
        done = await asyncio.gather(*map(self._try, records))
        return [record["messageId"] for record, processed in zip(records, done, strict=True) if not processed]

    async def _try(self, record: dict[str, Any]) -> bool:
        try:
            await self._process(record)
        except (UnprocessableError, GatewayError, Unavailable) as error:
            log_failed_callback(_logger, record, error)
            return False
        except Exception:  # a failure affects only its own callback
            _logger.exception("unexpected failure", extra={"message_id": record["messageId"]})
            return False
        return True

    async def _process(self, record: dict[str, Any]) -> None:
        item = await callback_item(self._database, record)
        content = parsed(StoredCallback.model_validate_json(item["body"]).text.encode(errors="surrogateescape"))
        with readable():
            kind, data = content["type"], content["data"]
            process = self._processes.get(kind)
        if process is not None:
            await process(data)
        else:
            count("PaymentCallbackPassedOver")
            _logger.info("nothing to do for a callback", extra={"callback": item["id"]})

    async def _settle(self, data: Any) -> None:
        with readable():
            payment = payment_of(data["payment"], str(data["order"]["order_id"]))
        order = await self._orders.find(order_of_gateway(payment.gateway_order))
        if order is None:
            count("PaymentOfUnknownOrder")
            _logger.warning("a payment of an order that is not ours")
            return
        try:
            await self._settlement.apply(order, payment)
        except ApiError as refusal:  # written down, and rung for
            _logger.warning("a payment was not credited", extra={"order": order.order_id, "code": refusal.code})
