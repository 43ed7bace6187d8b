"""`make dev`: every part of the platform on one machine, started in order and ended without a trace."""

import signal
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from importlib import import_module
from pathlib import Path

from rich.console import Console

from callmissed.catalog.model import CatalogError
from local.aws.engines import Store, dynamodb_local, moto_server
from local.aws.services import Services
from local.errors import DeskError, JavaMissingError
from local.lambda_runtime.functions import Functions
from local.ports import HOST, bind, port_of
from local.stack.banner import warn_about_moto
from local.stack.environment import STAGE, Site, forget_clouds
from local.state.folder import State, opened

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
    Functions().check()
    forget_clouds()
    # Importing the functions takes about as long as starting the engines, and there are two cores at least.
    threading.Thread(target=import_module, args=("local.stack.session",), daemon=True).start()
    with ExitStack() as engines:
        dynamodb, aws = _start_engines(engines, state)
        from local.stack.session import run_session

        public_url = f"http://{HOST}:{port_of(listener)}"
        site = Site(Store(dynamodb, STAGE), Services(aws, STAGE), state.secrets(), public_url)
        run_session(listener, state, site, _console)


def _start_engines(engines: ExitStack, state: State) -> tuple[str, str]:
    """Endpoints of DynamoDB and of the other AWS services; both are moto's where there is no Java."""
    with ThreadPoolExecutor() as starters:
        aws = starters.submit(engines.enter_context, moto_server(state.logs / "aws.log"))
        try:
            dynamodb = engines.enter_context(dynamodb_local(state.logs / "dynamodb.log", state.dynamodb))
        except JavaMissingError as missing:
            warn_about_moto(_console, str(missing))
            return aws.result(), aws.result()
        return dynamodb, aws.result()
