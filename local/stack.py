"""`make dev`: every part of the platform on one machine, started in order and ended without a trace."""

import asyncio
import signal
import socket
from contextlib import AbstractContextManager
from pathlib import Path

import uvloop
from rich.console import Console

from callmissed.catalog.model import CatalogError
from callmissed.platform.functions import INFERENCE
from callmissed.settings import CoreSettings
from functions.inference.app import create_app, create_gateway
from local.engines import Store, create_tables, dynamodb_local, find_java, moto_server
from local.errors import DeskError, JavaMissingError
from local.schedules import keep_time
from local.seed import Account, Seeder
from local.serving import HOST, DeskServer, bind, create_desk, port_of
from local.settings import STAGE, settle_down
from local.state import Announcement, State, opened
from local.welcome import show_welcome, warn_about_moto

DEFAULT_PORT = 8000
DEFAULT_STATE = Path(".callmissed")

_console = Console()
_errors = Console(stderr=True, soft_wrap=True, highlight=False)


def run(port: int = DEFAULT_PORT, state_dir: Path = DEFAULT_STATE, reset: bool = False) -> None:
    """Run the stack until Ctrl-C, SIGTERM or the terminal's end.

    `state_dir` keeps data and keys across runs; `reset` forgets them first. Raises SystemExit(1), after one line on
    stderr, when the stack can't start.
    """
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler)
    try:
        with bind(port) as listener, opened(state_dir) as state:
            if reset:
                state.forget()
            _run(listener, state)
    except KeyboardInterrupt:
        pass
    except (DeskError, CatalogError) as error:
        _errors.print(f"callmissed: {error}", markup=False)
        raise SystemExit(1) from None


def _run(listener: socket.socket, state: State) -> None:
    _console.print(f"[dim]Starting the stack with its state in {state.folder}/ …[/]")
    with _dynamodb(state) as endpoint:
        store = Store(endpoint, STAGE)
        create_tables(store)
        settings = settle_down(store, state.secrets().pepper)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_serve(listener, state, settings))


def _dynamodb(state: State) -> AbstractContextManager[str]:
    log = state.logs / "dynamodb.log"
    try:
        find_java()
    except JavaMissingError as missing:
        warn_about_moto(_console, str(missing))
        return moto_server(log)
    return dynamodb_local(log, state.dynamodb)


async def _serve(listener: socket.socket, state: State, settings: CoreSettings) -> None:
    gateway = create_gateway(settings)
    account = await _account(state, Seeder(gateway.dynamodb, settings.stage, settings.pepper_ring[0]))
    server = DeskServer(create_desk({INFERENCE.name: create_app(gateway)}), listener)
    timer = asyncio.create_task(keep_time())
    try:
        await server.start()
        announcement = _announcement(port_of(listener), account, settings)
        server.announce(state, announcement)
        show_welcome(_console, announcement)
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
