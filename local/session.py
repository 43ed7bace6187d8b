"""One run of the stack above its engines: the functions, their schedules, and the account to try them with."""

import asyncio
import socket

import uvloop
from rich.console import Console

from callmissed.platform.functions import INFERENCE
from callmissed.settings import CoreSettings
from functions.inference.app import create_app, create_gateway
from local.engines import Store, create_tables
from local.ports import HOST, port_of
from local.schedules import keep_time
from local.seed import Account, Seeder
from local.serving import DeskServer, create_desk
from local.settings import settle_down
from local.state import Announcement, State
from local.welcome import show_welcome


def run_session(listener: socket.socket, state: State, store: Store, console: Console) -> None:
    """Serve on `listener` until a signal says stop. Raises DeskError, CatalogError."""
    settings = settle_down(store, state.secrets().pepper)
    create_tables(store)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(listener, state, settings, console))


async def _serve(listener: socket.socket, state: State, settings: CoreSettings, console: Console) -> None:
    gateway = create_gateway(settings)
    account = await _account(state, Seeder(gateway.dynamodb, settings.stage, settings.pepper_ring[0]))
    server = DeskServer(create_desk({INFERENCE.name: create_app(gateway)}), listener)
    timer = asyncio.create_task(keep_time())
    try:
        await server.start()
        announcement = _announcement(port_of(listener), account, settings)
        show_welcome(console, announcement, state.folder)
        server.announce(state, announcement)
        await server.ended()
    finally:
        timer.cancel()
        await server.close()


async def _account(state: State, seeder: Seeder) -> Account:
    """The desk's account: the remembered one, as far as it still works."""
    secrets = state.secrets()
    account = await seeder.still_usable(secrets.account) if secrets.account else None
    account = account or await seeder.account()
    state.keep(secrets.model_copy(update={"account": account}))
    return account


def _announcement(port: int, account: Account, settings: CoreSettings) -> Announcement:
    return Announcement(
        base_url=f"http://{HOST}:{port}",
        live_key=account.live_key,
        test_key=account.test_key,
        tenant_id=account.tenant,
        endpoints={"dynamodb": settings.dynamodb_endpoint or ""},
    )
