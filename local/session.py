"""One run of the stack above its engines: the functions, what feeds them, and the account to try them with."""

import asyncio
import logging
import socket
from dataclasses import dataclass

import uvloop
from rich.console import Console
from starlette.types import ASGIApp

from callmissed.aws.queues import SqsQueue
from callmissed.clock import system_clock
from callmissed.platform.functions import INFERENCE
from callmissed.platform.queues import DISPATCH
from callmissed.settings import CoreSettings
from functions.inference.app import create_app, create_gateway
from functions.inference.gateway import Gateway
from local.assembly import Platform
from local.controls import create_controls
from local.engines import create_tables
from local.recovery import send_again
from local.schedules import keep_time
from local.seed import Account, Seeder
from local.services import create_services
from local.serving import DeskServer, create_desk
from local.settings import Site, settle_down
from local.state import Announcement, State
from local.welcome import show_welcome

_GRACE_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class _Parts:
    site: Site
    settings: CoreSettings
    platform: Platform
    inference: Gateway


def run_session(listener: socket.socket, state: State, site: Site, console: Console) -> None:
    """Serve `site` on `listener` until a signal says stop. Raises DeskError, CatalogError."""
    settings = settle_down(site)
    inference = create_gateway(settings)
    create_tables(site.store)
    create_services(site.services)
    platform = Platform(site.store, site.services)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_serve(listener, state, _Parts(site, settings, platform, inference), console))
    finally:
        platform.close(_GRACE_SECONDS)
        # Handlers leave their connections open, because Lambda never ends them in order; nobody need hear of it.
        logging.getLogger("asyncio").setLevel(logging.CRITICAL)


async def _serve(listener: socket.socket, state: State, parts: _Parts, console: Console) -> None:
    database, settings = parts.inference.database, parts.settings
    account = await _account(state, Seeder(database, settings.pepper_ring[0]))
    await send_again(database, SqsQueue(settings, DISPATCH), system_clock())
    server = DeskServer(_desk(parts), listener)
    parts.platform.feeds.start()
    timer = asyncio.create_task(keep_time(parts.platform.functions))
    try:
        await server.start()
        announcement = _announcement(account, parts.site)
        show_welcome(console, announcement, state.folder)
        server.announce(state, announcement)
        await server.ended()
    finally:
        timer.cancel()
        await server.close()


def _desk(parts: _Parts) -> ASGIApp:
    inference = create_app(parts.inference)
    controls = create_controls(parts.platform.functions, parts.inference.database)
    return create_desk(controls, parts.platform.gateway({INFERENCE.name: inference}), life=inference)


async def _account(state: State, seeder: Seeder) -> Account:
    """The desk's account: the remembered one, as far as it still works."""
    secrets = state.secrets()
    account = await seeder.still_usable(secrets.account) if secrets.account else None
    account = account or await seeder.account()
    state.keep(secrets.model_copy(update={"account": account}))
    return account


def _announcement(account: Account, site: Site) -> Announcement:
    return Announcement(
        base_url=site.public_url,
        live_key=account.live_key,
        test_key=account.test_key,
        tenant_id=account.tenant,
        endpoints={
            "dynamodb": site.store.endpoint,
            "aws": site.services.endpoint,
            "queues": site.services.queue_base,
        },
    )
