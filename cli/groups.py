"""Groups of commands: their names and help, without their modules, which take a second to import."""

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperGroup
from typer.main import get_group

DEFAULT_STATE = Path(".callmissed")

HELP: Mapping[str, str] = {
    "tenants": "The organisations to whom everything belongs.",
    "keys": "API keys, their limits and their secrets.",
    "credits": "A tenant's money.",
    "usage": "What a tenant's calls used and cost.",
    "events": "Events that webhooks receive.",
    "webhooks": "A tenant's webhooks, their deliveries, and a receiver for the terminal.",
    "integrations": "A tenant's credentials of WhatsApp and Twilio.",
    "dlq": "What could not be processed or delivered.",
}
"""Help of each group. The group `name` is the attribute of that name of the module `cli.commands.name`."""


class HelpfulGroup(TyperGroup):
    """A group that shows its help when it is called without a command, which is no error."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """As the base, but for no arguments at all."""
        if not args and not ctx.resilient_parsing:
            typer.echo(ctx.get_help())
            ctx.exit()
        return super().parse_args(ctx, args)


class LazyGroup(HelpfulGroup):
    """The group of all groups: shows them without importing them, and imports the one that is called."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command that `args` name, with its own commands."""
        name, command, rest = super().resolve_command(ctx, args)
        if name in HELP:
            command = get_group(getattr(import_module(f"cli.commands.{name}"), str(name)))
        return name, command, rest


def command_group(name: str) -> typer.Typer:
    """A new group without commands."""
    return typer.Typer(name=name, help=HELP[name], cls=HelpfulGroup)
