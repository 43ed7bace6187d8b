"""The `callmissed` command."""

import typer

from cli.commands.credits import credits
from cli.commands.dev import dev
from cli.commands.dlq import dlq
from cli.commands.events import events
from cli.commands.integrations import integrations
from cli.commands.keys import keys
from cli.commands.tenants import tenants
from cli.commands.usage import usage

app = typer.Typer(
    name="callmissed",
    help="Run the stack on this machine, and look after tenants, keys, credits and queues of any stage.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
for group in (tenants, keys, credits, usage, events, integrations, dlq):
    app.add_typer(group)
app.command()(dev)
