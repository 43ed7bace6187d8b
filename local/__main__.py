"""`python -m local`, which is what `make dev` runs."""

from pathlib import Path
from typing import Annotated

import typer

from local.stack.run import DEFAULT_PORT, DEFAULT_STATE, run


def main(
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port on 127.0.0.1; 0 takes any free one.")
    ] = DEFAULT_PORT,
    data: Annotated[
        Path, typer.Option("--data", "--state", file_okay=False, help="Folder that keeps data and keys across runs.")
    ] = DEFAULT_STATE,
    reset: Annotated[bool, typer.Option("--reset", help="Forget the folder's data and keys first.")] = False,
) -> None:
    """Run the local stack until Ctrl-C."""
    run(port, data, reset)


if __name__ == "__main__":
    typer.run(main)
