"""`callmissed keys`."""

from typing import Annotated

import typer

from callmissed.clock import MINUTE, Micros
from callmissed.keys.management import MAX_OVERLAP_MINUTES, NewKey
from callmissed.keys.policy import ANY, NEVER, KeyPolicy
from callmissed.keys.records import read_api_key
from callmissed.keys.secret import Mode
from callmissed.money import MicroCredits
from cli.context import CommandContext
from cli.groups import command_group
from cli.option_parsers import credit_amount, name_list
from cli.rows import KEYS, key_row
from cli.stage_command import stage_command

_DAY = 24 * 60 * MINUTE
_WARNING = "This secret is shown this once. Keep it now: it is not stored and can't be shown again."

keys = command_group("keys")


def _names(help: str, default: str = "all") -> object:
    return typer.Option(parser=name_list, metavar="NAME,...", help=help, show_default=default)


KeyId = Annotated[str, typer.Argument(metavar="KEY", help="The key's id, such as key_…")]


@stage_command(keys, "create")
async def create(
    context: CommandContext,
    *,
    name: Annotated[str, typer.Option(help="What people call the key.")],
    mode: Annotated[Mode, typer.Option(help="A test key never leaves the sandbox and costs nothing.")] = Mode.LIVE,
    permissions: Annotated[frozenset[str] | None, _names("AI services: llm, stt, tts, search, image.")] = None,
    scopes: Annotated[frozenset[str] | None, _names("Platform resources, such as bots:read.", "none")] = None,
    models: Annotated[frozenset[str] | None, _names("Models that it may call.")] = None,
    domains: Annotated[frozenset[str] | None, _names("Web origins from which it works.")] = None,
    rpm: Annotated[int | None, typer.Option(help="Requests a minute.", show_default="the plan's")] = None,
    budget: Annotated[
        int | None,
        typer.Option(parser=credit_amount, metavar="CREDITS", help="Credits a month.", show_default="no limit"),
    ] = None,
    expires_days: Annotated[
        int | None, typer.Option(min=1, max=36_500, help="Days that it works.", show_default="for ever")
    ] = None,
) -> None:
    """Create a key and print its secret."""
    now = context.clock()
    policy = KeyPolicy(
        permissions=_or_any(permissions),
        scopes=scopes or frozenset(),
        domains=_or_any(domains),
        models=_or_any(models),
        rpm=rpm,
        budget=None if budget is None else MicroCredits(budget),
        expires=NEVER if expires_days is None else Micros(now + expires_days * _DAY),
    )
    manager = context.keys(hashing=True)
    _hand_over(context, await manager.create(context.tenant, name=name, mode=mode, policy=policy, now=now))


@stage_command(keys, "list")
async def list_all(context: CommandContext) -> None:
    """List a tenant's keys, oldest first."""
    records = await context.keys().keys_of(context.tenant)
    context.output.rows([key_row(record) for record in records], KEYS)


@stage_command(keys, "show")
async def show(context: CommandContext, *, key_id: KeyId) -> None:
    """Show a key with all its limits; its secret is masked."""
    context.output.record(key_row(await read_api_key(context.database, context.tenant, key_id)))


@stage_command(keys, "revoke")
async def revoke(context: CommandContext, *, key_id: KeyId) -> None:
    """End every secret of a key, for good; its next call is refused."""
    context.output.record(key_row(await context.keys().revoke(context.tenant, key_id)))


@stage_command(keys, "rotate")
async def rotate(
    context: CommandContext,
    *,
    key_id: KeyId,
    overlap_minutes: Annotated[
        int, typer.Option(min=0, max=MAX_OVERLAP_MINUTES, help="Minutes that the old secret still works.")
    ] = 0,
) -> None:
    """Give a key a new secret, and print it."""
    manager = context.keys(hashing=True)
    rotated = await manager.rotate(context.tenant, key_id, overlap_minutes=overlap_minutes, now=context.clock())
    _hand_over(context, rotated)


def _or_any(names: frozenset[str] | None) -> frozenset[str]:
    """All, unless the option was given: an empty list, such as of an unset variable, is refused and never opens."""
    return ANY if names is None else names


def _hand_over(context: CommandContext, key: NewKey) -> None:
    context.output.record({**key_row(key.record), "secret": key.secret})
    context.output.warn(_WARNING)
