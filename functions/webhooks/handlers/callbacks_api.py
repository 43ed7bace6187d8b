"""The function `callbacks`: the API that WhatsApp, Twilio and Cashfree call."""

from functools import cache
from typing import Any

from fastapi import FastAPI
from mangum.types import LambdaContext

from callmissed.aws.database import Database
from callmissed.aws.runtime import logs_failures, use_own_loop
from callmissed.aws.start import prepare_start
from callmissed.clock import Clock, system_clock
from callmissed.settings import CoreSettings
from callmissed.web.app import create_api
from callmissed.web.lambda_handler import LambdaHandler
from callmissed.web.request_context import RequestContextMiddleware
from functions.webhooks.callbacks.routes import Callbacks, router
from functions.webhooks.composition import compose

prepare_start()


def create_app(settings: CoreSettings, database: Database, clock: Clock = system_clock) -> FastAPI:
    """The application, without `RequestContextMiddleware`."""
    return create_api("CallMissed callbacks", [router], callbacks=Callbacks(settings, database, clock))


@logs_failures("callbacks")
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Serve one request of API Gateway."""
    use_own_loop()
    return LambdaHandler(_served())(event, context)


@cache
def _served() -> RequestContextMiddleware:
    composition = compose()
    return RequestContextMiddleware(create_app(composition.settings, composition.database))
