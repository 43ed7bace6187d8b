"""Groups of commands: their names and help, without their modules, which take a second to import."""

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperGroup
from typer.main import get_group

DEFAULT_STATE = Path(".callmissed")
HELP_OPTIONS = ["-h", "--help"]

HELP: Mapping[str, str] = {
    "tenants": "The organisations to whom everything belongs.",
    "users": "The people of a tenant.",
    "keys": "API keys, their limits and their secrets.",
    "credits": "A tenant's money.",
    "coupons": "Codes that add credits.",
    "payments": "What tenants paid.",
    "prices": "Providers, models and what they cost.",
    "usage": "What a tenant's calls used and cost.",
    "audit": "Who changed what in a tenant.",
    "events": "Events that webhooks receive.",
    "webhooks": "A tenant's webhooks, their deliveries, and a receiver for the terminal.",
    "integrations": "A tenant's credentials of WhatsApp, Twilio and Sarvam.",
    "dlq": "What could not be processed or delivered.",
    "versions": "What earlier deployments left of a stage's functions.",
}
"""Help of each group. The group `name` is the attribute of that name of the module that `module_of` names."""

_OF_BILLING = ("credits", "coupons", "payments", "prices")

COMMANDS: Mapping[str, Mapping[str, str]] = {
    "tenants": {
        "create": "Create a tenant.",
        "list": "List all tenants, oldest first.",
        "show": "Show a tenant with its balance.",
        "suspend": "Stop a tenant: its people, keys, calls and webhooks, with the next call.",
        "reactivate": "Start a suspended or deactivated tenant again; keys that were active work again.",
        "set-plan": "Put a tenant on a plan: record, wallet, quotas and keys.",
    },
    "users": {
        "invite": "Add a person, who gets a mail; the first person of a tenant becomes its owner.",
        "list": "List a tenant's people, oldest first.",
        "deactivate": "Keep a person from signing in, and end all sessions.",
    },
    "keys": {
        "create": "Create a key and print its secret.",
        "list": "List a tenant's keys, oldest first; revoked ones for 30 days.",
        "show": "Show a key with all its limits; its secret is masked.",
        "revoke": "End every secret of a key, for good; its next call is refused.",
        "rotate": "Give a key a new secret, and print it.",
    },
    "credits": {
        "grant": "Add credits to a tenant's wallet.",
        "adjust": "Add credits, or take them back; what is spent already becomes a debt.",
        "balance": "Show what a tenant has, holds and has spent.",
        "entries": "List a tenant's ledger entries, newest first.",
    },
    "coupons": {
        "create": "Make a coupon, which people redeem for credits.",
        "list": "List the coupons, the newest first.",
        "disable": "End a coupon for good.",
    },
    "payments": {"refund": "Pay an order back, in full or in part; its credits are taken back first."},
    "prices": {
        "preview": "Show what a providers file would change.",
        "import": "Put a providers file in force, after a look at what it changes.",
    },
    "audit": {"tail": "Show who changed what in a tenant, newest last."},
    "usage": {"tail": "Show a tenant's last calls, newest last."},
    "events": {"emit": "Publish the example of an event type for a tenant, to try what receives it."},
    "webhooks": {
        "list": "List a tenant's webhooks, oldest first, secrets masked.",
        "delete": "Delete a webhook; what is still undelivered is not sent.",
        "deliveries": "List a webhook's deliveries of the last 30 days, newest event first.",
        "listen": "Receive a tenant's events on this machine, verify and print them until Ctrl-C.",
    },
    "integrations": {
        "show": "Show a tenant's credentials, secrets masked.",
        "set": "Save credentials in the place of those before.",
    },
    "dlq": {
        "list": "List the queues of dead letters, with how many messages each has and how old the oldest is.",
        "show": "Show messages, and leave them where they are.",
        "redrive": "Move messages back into the queue from which they came, or into that which takes their events now.",
    },
    "versions": {
        "prune": "Delete versions of functions that no alias uses, and on which no call can run any more.",
    },
}
"""Help of the commands of each group, in their order: a test holds that it is what the modules say."""


class HelpfulGroup(TyperGroup):
    """A group that shows its help when it is called without a command, which is no error."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """As the base, but for no arguments at all."""
        if not args and not ctx.resilient_parsing:
            typer.echo(ctx.get_help())
            ctx.exit()
        return super().parse_args(ctx, args)


class LazyGroup(HelpfulGroup):
    """The group of all groups: shows them without importing them, and imports the one of which a command is called."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command that `args` name, with its own commands."""
        name, command, rest = super().resolve_command(ctx, args)
        if name and name in HELP and not _asks_for_help(rest):
            command = get_group(getattr(import_module(module_of(name)), str(name)))
        return name, command, rest


def module_of(name: str) -> str:
    """The module of the group `name`."""
    return f"cli.commands.{'billing.' if name in _OF_BILLING else ''}{name}"


def _asks_for_help(words: list[str]) -> bool:
    return not words or words[0] in HELP_OPTIONS


def outline(name: str) -> typer.Typer:
    """The group `name` with commands that have a name and help, and do nothing."""
    group = command_group(name)
    for command, help in COMMANDS[name].items():
        group.command(command, help=help)(lambda: None)
    return group


def command_group(name: str) -> typer.Typer:
    """A new group without commands."""
    return typer.Typer(name=name, help=HELP[name], cls=HelpfulGroup)
