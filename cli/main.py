"""The `callmissed` command."""

from typing import Annotated

import typer

from cli.commands.dev import dev
from cli.commands.doctor import doctor
from cli.commands.phone import phone
from cli.groups import HELP, HELP_OPTIONS, LazyGroup, outline

app = typer.Typer(
    name="callmissed",
    cls=LazyGroup,
    context_settings={"help_option_names": HELP_OPTIONS},
    pretty_exceptions_enable=False,
)
for name in HELP:
    app.add_typer(outline(name))
app.command()(dev)
app.command()(doctor)
app.command()(phone)


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version  # takes as long as all the rest

        typer.echo(f"callmissed {version('callmissed')}")
        raise typer.Exit


@app.callback()
def main(
    _version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Run the stack on this machine, and look after tenants, keys, credits, queues and functions of any stage."""
