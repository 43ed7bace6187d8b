"""Callbacks of the payment gateway to the whole product: through API Gateway into the outbox, and on to the worker."""

import json
from collections.abc import Sequence

from callmissed.platform.queues.sources import CASHFREE_CALLBACK
from callmissed.platform.tables import OUTBOX
from callmissed.settings import CoreSettings
from functions.billing.composition import BillingComposition
from functions.billing.payments_composition import PaymentsComposition
from local.fakes.cashfree.callbacks import GatewayCallback
from tests.support.whole_product import Sent, WholeProduct

WEBHOOK = "/api/v1/payments/webhook"


def purchases_of(product: WholeProduct, settings: CoreSettings) -> PaymentsComposition:
    """What the payment worker and the sweeps of the product are made of."""
    base = BillingComposition(settings)
    base.__dict__["database"] = product.database
    bought = PaymentsComposition(base, product.clock)
    bought.__dict__["http"] = product.billing.http  # which the product closes
    return bought


async def deliver(product: WholeProduct, callbacks: Sequence[GatewayCallback]) -> list[int]:
    """Send callbacks as the gateway does; returns the statuses of the answers."""
    sent = [Sent("POST", WEBHOOK, tuple(each.headers.items()), each.body) for each in callbacks]
    return [(await product.through_api_gateway(each)).status for each in sent]


async def process(product: WholeProduct, bought: PaymentsComposition) -> list[str]:
    """Let the worker process every stored callback, as the bus passes them on; the ids of the failed ones."""
    stored = [item async for item in product.database.scan(OUTBOX) if item.get("type") == CASHFREE_CALLBACK]
    records = [{"messageId": item["id"], "body": json.dumps({"detail": {"id": item["id"]}})} for item in stored]
    return await bought.worker.failures(records)
