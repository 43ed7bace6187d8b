"""`callmissed dev`."""

from pathlib import Path
from typing import Annotated

import typer

from cli.groups import DEFAULT_STATE


def dev(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port on 127.0.0.1; 0 takes any free one.")] = 8000,
    state: Annotated[Path, typer.Option(help="Folder that keeps data and keys across runs.")] = DEFAULT_STATE,
    reset: Annotated[bool, typer.Option("--reset", help="Forget the folder's data and keys first.")] = False,
) -> None:
    """Run the local stack until Ctrl-C."""
    from local.stack.run import run  # no other command needs the servers and engines

    run(port, state, reset)
