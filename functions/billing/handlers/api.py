"""The function `billing`: credits, budgets and payments."""

from dataclasses import dataclass
from functools import cache
from typing import Any

from fastapi import FastAPI

from callmissed.aws.runtime import logs_failures, use_own_loop
from callmissed.aws.secrets import sealing_ring
from callmissed.aws.start import prepare_start
from callmissed.clock import Clock, system_clock
from callmissed.http.client import SafeClient
from callmissed.rate_limits import SlidingWindows
from callmissed.sealing import Sealer
from callmissed.web.app import create_api, state_of
from callmissed.web.idempotency import keyed_server
from callmissed.web.lambda_handler import LambdaHandler
from callmissed.web.request_context import RequestContextMiddleware
from functions.billing.budgets import routes as budgets
from functions.billing.budgets.service import Budgets
from functions.billing.composition import BillingComposition, compose
from functions.billing.coupons import routes as coupons
from functions.billing.coupons.service import Coupons
from functions.billing.credits import routes as credits
from functions.billing.credits.costs import ServiceCosts
from functions.billing.credits.service import Credits
from functions.billing.overview import routes as overview
from functions.billing.payments import routes as payments
from functions.billing.payments.service import Payments
from functions.billing.payments_composition import PaymentsComposition
from functions.billing.prices import routes as prices
from functions.billing.prices.document import ProvidersDocument
from functions.billing.prices.service import Prices
from functions.billing.refunds import routes as refunds
from functions.billing.refunds.operators import OperatorRefunds
from functions.billing.subscriptions import routes as subscriptions
from functions.billing.subscriptions.service import PlanSubscriptions

prepare_start("anyio._backends._asyncio")

ROUTERS = (
    overview.router,
    credits.router,
    budgets.router,
    coupons.router,
    payments.router,
    refunds.router,
    subscriptions.router,
    prices.router,
)


@dataclass(frozen=True, slots=True)
class BillingServices:
    """The services of one process, which routes find by name in the application's state.

    `http` sends requests to the payment gateway.
    """

    credits: Credits
    costs: ServiceCosts
    budgets: Budgets
    coupons: Coupons
    payments: Payments
    operator_refunds: OperatorRefunds
    subscriptions: PlanSubscriptions
    prices: Prices
    windows: SlidingWindows
    clock: Clock
    http: SafeClient


def create_services(composition: BillingComposition, *, clock: Clock = system_clock) -> BillingServices:
    """The services of one process, none of which opens a connection before use."""
    bought = PaymentsComposition(composition, clock)
    return BillingServices(
        credits=Credits(composition.database),
        costs=ServiceCosts(composition.settings),
        budgets=Budgets(composition.database),
        coupons=Coupons(bought.orders),
        payments=bought.payments,
        subscriptions=bought.subscriptions,
        operator_refunds=bought.operator_refunds,
        prices=Prices(composition.database, ProvidersDocument(composition.settings)),
        windows=SlidingWindows(composition.database),
        clock=clock,
        http=bought.http,
    )


def create_app(services: BillingServices) -> FastAPI:
    """The application over `services`."""
    return create_api("CallMissed billing", ROUTERS, **state_of(services))


def create_server(composition: BillingComposition, services: BillingServices) -> RequestContextMiddleware:
    """The served application, whose stored answers are sealed. Raises ValueError without a sealing key."""
    settings = composition.settings
    sealer = Sealer(sealing_ring(settings))
    return keyed_server(create_app(services), settings, composition.database, sealer, services.clock)


@logs_failures("billing")
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answer one request of API Gateway."""
    return _server()(event, context)


@cache
def _server() -> LambdaHandler:
    """Created at the first invocation, on its thread and loop."""
    composition = compose()
    server = create_server(composition, create_services(composition))
    use_own_loop()
    return LambdaHandler(server)
