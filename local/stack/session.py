"""One run of the stack above its engines: the functions, their event source mappings, and the developer's tenant."""

import asyncio
import logging
import socket
from dataclasses import dataclass

import uvloop
from rich.console import Console
from starlette.types import ASGIApp

from callmissed.aws.queues import SqsQueue
from callmissed.aws.secrets import pepper_ring, sealing_ring
from callmissed.catalog.model import SANDBOX, Category, Model
from callmissed.clock import system_clock
from callmissed.platform.functions import INFERENCE
from callmissed.platform.queues import DISPATCH
from callmissed.sealing import Sealer
from callmissed.settings import CoreSettings
from callmissed_ai.calls.container import Container, create_container
from functions.inference.app import create_app
from local.aws.services import create_services
from local.aws.tables import create_tables
from local.lambda_runtime.schedules import run_schedules
from local.server.admin_routes import create_admin_app
from local.server.call_log import CallLog
from local.server.local_server import LocalServer, create_local_app
from local.stack.banner import LiveModels, show_banner
from local.stack.environment import LocalEndpoints, apply_environment
from local.stack.platform import LocalPlatform
from local.stack.whatsapp import announced, credentials
from local.state.folder import Announcement, StateFolder
from local.state.redrive import redrive_deliveries
from local.state.seed import SeededTenant, Seeder

_GRACE_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class _Dependencies:
    endpoints: LocalEndpoints
    settings: CoreSettings
    platform: LocalPlatform
    inference: Container


def run_session(listener: socket.socket, state: StateFolder, endpoints: LocalEndpoints, console: Console) -> None:
    """Serve on `listener` until a signal says stop. Raises LocalStackError, CatalogError."""
    settings = apply_environment(endpoints)
    inference = create_container(settings)
    create_tables(endpoints.tables)
    create_services(endpoints.services)
    platform = LocalPlatform(endpoints.tables, endpoints.services)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_serve(listener, state, _Dependencies(endpoints, settings, platform, inference), console))
    finally:
        platform.close(_GRACE_SECONDS)
        # Handlers leave their connections open, because Lambda never ends them in order; asyncio would log that.
        logging.getLogger("asyncio").setLevel(logging.CRITICAL)


async def _serve(listener: socket.socket, state: StateFolder, dependencies: _Dependencies, console: Console) -> None:
    database, settings = dependencies.inference.database, dependencies.settings
    seeder = Seeder(database, pepper_ring(settings)[0])
    tenant = await _tenant(state, seeder)
    await seeder.connect(tenant, credentials(dependencies.endpoints.secrets.whatsapp), Sealer(sealing_ring(settings)))
    await redrive_deliveries(database, SqsQueue(settings, DISPATCH), system_clock())
    server = LocalServer(CallLog(_app(dependencies), console), listener)
    dependencies.platform.mappings.start()
    schedules = asyncio.create_task(run_schedules(dependencies.platform.functions))
    try:
        await server.start()
        announcement = _announcement(tenant, dependencies.endpoints)
        show_banner(console, announcement, state.folder, _live_models(dependencies.inference))
        server.announce(state, announcement)
        await server.ended()
    finally:
        schedules.cancel()
        await server.close()


def _app(dependencies: _Dependencies) -> ASGIApp:
    inference, platform = dependencies.inference, dependencies.platform
    web_app = create_app(inference)
    endpoints = dependencies.endpoints
    admin = create_admin_app(platform.functions, inference.database, endpoints.phone_page, endpoints.checkout_page)
    secret = endpoints.secrets.operator_secret
    gateway = platform.gateway({INFERENCE.name: web_app}, operator_secret=secret)
    return create_local_app(admin, gateway, lifespan=web_app)


async def _tenant(state: StateFolder, seeder: Seeder) -> SeededTenant:
    """The tenant of the last run, with new keys for those that no longer work; otherwise a new tenant."""
    secrets = state.secrets()
    tenant = await seeder.renew_keys(secrets.account) if secrets.account else None
    tenant = tenant or await seeder.add_owner(await seeder.create_tenant())
    state.store_secrets(secrets.model_copy(update={"account": tenant}))
    return tenant


def _live_models(inference: Container) -> LiveModels:
    """The models that can be called: real providers' first, as somebody set a key for them, then those that chat."""
    models, availability = inference.catalog.listed(), inference.router.availability
    live = [model for model in models if availability.reason(model) is None]
    live.sort(key=_place)
    return LiveModels([model.id for model in live], len(models))


def _place(model: Model) -> tuple[bool, bool]:
    return any(route.provider == SANDBOX for route in model.routes), model.category is not Category.LLM


def _announcement(tenant: SeededTenant, endpoints: LocalEndpoints) -> Announcement:
    return Announcement(
        base_url=endpoints.public_url,
        localhost_url=endpoints.localhost_url,
        live_key=tenant.live_key,
        test_key=tenant.test_key,
        owner_email=tenant.owner_email,
        owner_password=tenant.owner_password,
        tenant_id=tenant.tenant,
        endpoints={
            "dynamodb": endpoints.tables.endpoint,
            "aws": endpoints.services.endpoint,
            "queues": endpoints.services.queue_base,
            "graph": endpoints.graph_origin,
            "checkout": endpoints.checkout_page,
        },
        whatsapp=announced(endpoints.secrets.whatsapp),
    )
