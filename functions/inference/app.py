"""The inference function: an ASGI application, run by uvicorn behind the Lambda Web Adapter."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial

from fastapi import FastAPI
from starlette.types import ASGIApp

from callmissed.aws.start import prepare_start
from callmissed.catalog.loader import read_catalog
from callmissed.catalog.model import Catalog
from callmissed.settings import CoreSettings, from_environment
from callmissed.web.exception_handlers import add_exception_handlers
from callmissed.web.request_context import RequestContextMiddleware
from callmissed_ai.calls.container import Container, create_container
from callmissed_ai.tokens.counting import encoding
from functions.inference.adapter import AdapterRequests
from functions.inference.preflight import Preflights
from functions.inference.request_context import answer_headers, new_call_request
from functions.inference.routes import ROUTERS
from functions.inference.snapstart import LateApp


def create_app(container: Container) -> ASGIApp:
    """The application over `container`."""

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncGenerator[None]:
        yield
        await container.close()

    api = FastAPI(title="CallMissed", lifespan=lifespan, openapi_url=None, redirect_slashes=False)
    api.state.container = container
    preflights = Preflights(container.database, container.clock)
    add_exception_handlers(api)
    for router in ROUTERS:
        api.include_router(router)
    api.add_api_route("/{path:path}", preflights.answer, methods=["OPTIONS"], include_in_schema=False)
    return RequestContextMiddleware(
        api, new_context=partial(new_call_request, container.clock), headers=answer_headers, log_as="inference"
    )


def compose(settings: CoreSettings, catalog: Catalog | None = None) -> ASGIApp:
    """The slice's application. Raises ValueError without a pepper, CatalogError for a providers file that is wrong."""
    app = create_app(create_container(settings, catalog=catalog))
    return AdapterRequests(app) if settings.behind_adapter else app


_USED_LATER = (
    "callmissed_ai.dialects.openai_chat.dialect",
    "callmissed_ai.providers.sandbox.provider",
    "callmissed_ai.transports.http",
)
"""Modules that most calls need, though not all of them."""


def _before_snapshot(settings: CoreSettings) -> Catalog:
    """The catalog, read once for all processes of the snapshot. Raises CatalogError.

    So a providers file that is wrong fails the deployment, and not the calls after it.
    """
    encoding()
    return read_catalog(settings)


def __getattr__(name: str) -> ASGIApp:
    """`app`, for uvicorn; importing this module reads no environment and makes nothing. Raises CatalogError."""
    if name != "app":
        raise AttributeError(name)
    settings = from_environment()
    catalog = _before_snapshot(settings) if settings.snapshotted else None
    prepare_start(*_USED_LATER)  # after the catalog was read: what is prepared has no credentials
    application = LateApp(lambda: compose(settings, catalog), early=not settings.snapshotted)
    globals()["app"] = application
    return application
