"""The `callmissed` command."""

from pathlib import Path
from typing import Annotated

import typer

from cli.commands.credits import credits
from cli.commands.dlq import dlq
from cli.commands.events import events
from cli.commands.integrations import integrations
from cli.commands.keys import keys
from cli.commands.tenants import tenants
from cli.commands.usage import usage
from cli.target import DEFAULT_STATE

app = typer.Typer(
    name="callmissed",
    help="Run the stack on this machine, and look after tenants, keys, credits and queues of any stage.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
for group in (tenants, keys, credits, usage, events, integrations, dlq):
    app.add_typer(group)


@app.command()
def dev(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port on 127.0.0.1; 0 takes any free one.")] = 8000,
    state: Annotated[Path, typer.Option(help="Folder that keeps data and keys across runs.")] = DEFAULT_STATE,
    reset: Annotated[bool, typer.Option("--reset", help="Forget the folder's data and keys first.")] = False,
) -> None:
    """Run the local stack until Ctrl-C."""
    from local.stack.run import run  # no other command needs the servers and engines

    run(port, state, reset)
