"""`make dev`: starts every part of the platform in order, and leaves no process behind."""

import signal
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from importlib import import_module
from pathlib import Path

from rich.console import Console

from callmissed.catalog.model import CatalogError
from local.aws.account import STAGE
from local.aws.engines import dynamodb_local, moto_server
from local.aws.services import StageServices
from local.aws.tables import StageTables
from local.errors import JavaMissingError, LocalStackError
from local.lambda_runtime.functions import LambdaFunctions
from local.ports import HOST, bind, port_of
from local.stack.banner import warn_about_moto
from local.stack.environment import LocalEndpoints, clear_aws_environment
from local.state.folder import StateFolder, open_state

DEFAULT_PORT = 8000
DEFAULT_STATE = Path(".callmissed")

_console = Console()
_errors = Console(stderr=True, soft_wrap=True, highlight=False)


def run(port: int = DEFAULT_PORT, state_dir: Path = DEFAULT_STATE, reset: bool = False) -> None:
    """Run the stack until Ctrl-C, SIGTERM or the terminal's end.

    `state_dir` keeps data and keys across runs; `reset` removes them first. Raises SystemExit(1), after one line on
    stderr, when the stack can't start.
    """
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler)
    try:
        with bind(port) as listener, open_state(state_dir) as state:
            if reset:
                state.clear()
            _run(listener, state)
    except KeyboardInterrupt:
        pass
    except (LocalStackError, CatalogError) as error:
        _errors.print(f"callmissed: {error}", markup=False)
        raise SystemExit(1) from None


def _run(listener: socket.socket, state: StateFolder) -> None:
    _console.print(f"[dim]Starting the stack with its state in {state.folder}/ …[/]")
    LambdaFunctions().check_handlers()
    clear_aws_environment()
    # Importing the functions takes about as long as starting the engines, and there are two cores at least.
    threading.Thread(target=import_module, args=("local.stack.session",), daemon=True).start()
    with ExitStack() as engines:
        dynamodb, aws = _start_engines(engines, state)
        from local.stack.cashfree import cashfree_stand_in
        from local.stack.session import run_session
        from local.stack.whatsapp import graph_setting, graph_stand_in

        public_url, secrets = f"http://{HOST}:{port_of(listener)}", state.secrets()
        graph = engines.enter_context(graph_stand_in(secrets, public_url))
        cashfree = engines.enter_context(cashfree_stand_in(secrets, public_url))
        endpoints = LocalEndpoints(
            StageTables(dynamodb, STAGE),
            StageServices(aws, STAGE),
            secrets,
            public_url,
            mail_outbox=str(state.outbox),
            graph_url=graph_setting(graph.url),
            cashfree_url=cashfree.api_url,
            checkout_page=cashfree.checkout_page,
        )
        run_session(listener, state, endpoints, _console)


def _start_engines(engines: ExitStack, state: StateFolder) -> tuple[str, str]:
    """Endpoints of DynamoDB and of the other AWS services; both are moto's where there is no Java."""
    with ThreadPoolExecutor() as starters:
        aws = starters.submit(engines.enter_context, moto_server(state.logs / "aws.log"))
        try:
            dynamodb = engines.enter_context(dynamodb_local(state.logs / "dynamodb.log", state.dynamodb))
        except JavaMissingError as missing:
            warn_about_moto(_console, str(missing))
            return aws.result(), aws.result()
        return dynamodb, aws.result()
