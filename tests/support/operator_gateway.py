"""The routes of operators on a port, for commands that call them: the gateway and the functions, in a thread."""

from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager

from starlette.applications import Starlette
from starlette.types import ASGIApp

from callmissed.platform.functions import AUTH_API, BILLING_API, WEBHOOKS_API
from callmissed.settings import CoreSettings
from callmissed.web.lambda_handler import Event
from functions.auth.composition import AuthComposition
from functions.auth.handlers import api as accounts
from functions.billing.composition import BillingComposition
from functions.billing.handlers import api as billing
from functions.webhooks.composition import WebhooksComposition
from functions.webhooks.handlers import api as webhooks
from local.api_gateway.gateway import ApiGateway
from local.api_gateway.proxy_integration import ProxyIntegration
from local.api_gateway.sigv4 import verifier
from local.server.local_server import create_local_app
from local.state.folder import LocalSecrets
from tests.support.lambda_events import answer_event
from tests.support.threads import uvicorn_serving


@contextmanager
def serving_operators(settings: CoreSettings, secrets: LocalSecrets) -> Generator[str]:
    """The base URL of a stage whose operator has the secret of a state folder."""
    people, hooks, money = AuthComposition(settings), WebhooksComposition(settings), BillingComposition(settings)
    purchases = billing.create_services(money)
    functions = {
        AUTH_API.name: accounts.create_server(people, accounts.create_services(people)),
        BILLING_API.name: billing.create_server(money, purchases),
        WEBHOOKS_API.name: webhooks.create_server(hooks, webhooks.create_services(hooks)),
    }
    gateway = ApiGateway(
        {name: _integration(app) for name, app in functions.items()}, verify_operator=verifier(secrets.operator_secret)
    )

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncGenerator[None]:
        yield
        await people.database.close()
        await hooks.database.close()
        await purchases.http.close()
        await money.database.close()

    with uvicorn_serving(create_local_app(gateway, gateway, lifespan=Starlette(lifespan=lifespan))) as url:
        yield url


def _integration(app: ASGIApp) -> ProxyIntegration:
    async def invoke(event: Event) -> Event:
        return await answer_event(app, event)

    return ProxyIntegration(invoke)
