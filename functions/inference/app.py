"""The inference function: an ASGI application, run by uvicorn behind the Lambda Web Adapter."""

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from importlib import import_module

from fastapi import FastAPI
from starlette.types import ASGIApp

from callmissed.aws.database import Database
from callmissed.aws.dynamodb import DynamoDB
from callmissed.catalog.loader import load_catalog, read_operator_file
from callmissed.catalog.model import Catalog
from callmissed.clock import Clock, system_clock
from callmissed.idempotency.answers import S3Answers
from callmissed.idempotency.store import IdempotencyStore
from callmissed.keys.admission import Admission
from callmissed.keys.rehash import PepperRing
from callmissed.ledger.holds import Ledger
from callmissed.settings import CoreSettings, from_environment
from callmissed.web.refusals import add_refusals
from functions.inference.frame import Frame
from functions.inference.gateway import Gateway
from functions.inference.preflight import Preflights
from functions.inference.providers.port import Provider
from functions.inference.routes import chat, generation, models
from functions.inference.settlement import Cashier
from functions.inference.snapstart import LateApp
from functions.inference.upstreams import Upstreams

ROUTERS = (chat.router, models.router, generation.router)


def create_gateway(settings: CoreSettings, clock: Clock = system_clock, dynamodb: DynamoDB | None = None) -> Gateway:
    """The parts of one process, none of which opens a connection before its first call.

    Raises ValueError without a pepper, CatalogError for a providers file that is wrong.
    """
    database = Database(dynamodb or DynamoDB(settings.region, settings.dynamodb_endpoint), settings.stage)
    catalog = _read_catalog(settings)
    admission, ledger = Admission(database), Ledger(database)
    return Gateway(
        clock=clock,
        catalog=catalog,
        database=database,
        ledger=ledger,
        idempotency=IdempotencyStore(database, S3Answers(settings)),
        cashier=Cashier(ledger, admission, clock),
        upstreams=Upstreams(catalog, settings.provider_environment, _open_sandbox),
        ring=PepperRing(database, admission, settings.pepper_ring),
    )


def _read_catalog(settings: CoreSettings) -> Catalog:
    operator_file = read_operator_file(settings.providers_file) if settings.providers_file else None
    return load_catalog(operator_file, source=settings.providers_file)


def create_app(gateway: Gateway) -> ASGIApp:
    """The application over `gateway`."""

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncGenerator[None]:
        yield
        await gateway.close()

    api = FastAPI(title="CallMissed", lifespan=lifespan, openapi_url=None)
    api.state.gateway = gateway
    preflights = Preflights(gateway.database, gateway.clock)
    add_refusals(api)
    for router in ROUTERS:
        api.include_router(router)
    api.add_api_route("/{path:path}", preflights.answer, methods=["OPTIONS"], include_in_schema=False)
    return Frame(api, gateway.clock)


def _open_sandbox() -> Provider:
    from functions.inference.providers.sandbox import SandboxProvider  # many gateways never play

    return SandboxProvider(time.time, asyncio.sleep)


def __getattr__(name: str) -> ASGIApp:
    """`app`, for uvicorn; importing this module reads no environment and makes nothing. Raises CatalogError."""
    if name != "app":
        raise AttributeError(name)
    settings = from_environment()
    if settings.snapshotted:
        import_module("botocore.session")  # a restored process asks it for credentials, and should not wait for it
        _read_catalog(settings)  # a wrong providers file must fail the deployment, not the calls after it
    application = LateApp(lambda: create_app(create_gateway(settings)), early=not settings.snapshotted)
    globals()["app"] = application
    return application
