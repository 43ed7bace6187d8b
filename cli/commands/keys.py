"""`callmissed keys`."""

from typing import Annotated
from urllib.parse import quote

import typer

from callmissed.keys.management import MAX_OVERLAP_MINUTES
from callmissed.keys.records import read_api_key, read_api_keys
from callmissed.keys.secret import Mode
from callmissed.money import MicroCredits
from callmissed.money import show as show_credits
from cli.context import CommandContext
from cli.groups import command_group
from cli.option_parsers import credit_amount, name_list
from cli.output import Row
from cli.rows import KEYS, key_row
from cli.stage_command import stage_command

_WARNING = "This secret is shown this once. Keep it now: it is not stored and can't be shown again."

keys = command_group("keys")


def _names(help: str, default: str = "all") -> object:
    return typer.Option(parser=name_list, metavar="NAME,...", help=help, show_default=default)


KeyId = Annotated[str, typer.Argument(metavar="KEY", help="The key's id, such as key_…")]


@stage_command(keys, "create", changes=True)
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
    asked = {
        "name": name,
        "mode": str(mode),
        "permissions": _sorted(permissions),
        "scopes": _sorted(scopes),
        "models": _sorted(models),
        "domains": _sorted(domains),
        "rpm": rpm,
        "budget": None if budget is None else show_credits(MicroCredits(budget)),
        "expires_days": expires_days,
    }
    _hand_over(context, await context.operate_on_tenant("POST", "/keys", **asked))


@stage_command(keys, "list")
async def list_all(context: CommandContext) -> None:
    """List a tenant's keys, oldest first; revoked ones for 30 days."""
    records, now = await read_api_keys(context.database, context.tenant), context.clock()
    context.output.rows([key_row(record) for record in records if record.is_shown(now)], KEYS)


@stage_command(keys, "show")
async def show(context: CommandContext, *, key_id: KeyId) -> None:
    """Show a key with all its limits; its secret is masked."""
    context.output.record(key_row(await read_api_key(context.database, context.tenant, key_id)))


@stage_command(keys, "revoke", changes=True)
async def revoke(context: CommandContext, *, key_id: KeyId) -> None:
    """End every secret of a key, for good; its next call is refused."""
    context.output.record(await context.operate_on_tenant("POST", f"/keys/{quote(key_id, safe='')}/revoke"))


@stage_command(keys, "rotate", changes=True)
async def rotate(
    context: CommandContext,
    *,
    key_id: KeyId,
    overlap_minutes: Annotated[
        int, typer.Option(min=0, max=MAX_OVERLAP_MINUTES, help="Minutes that the old secret still works.")
    ] = 0,
) -> None:
    """Give a key a new secret, and print it."""
    path = f"/keys/{quote(key_id, safe='')}/rotate"
    _hand_over(context, await context.operate_on_tenant("POST", path, overlap_minutes=overlap_minutes))


def _sorted(names: frozenset[str] | None) -> list[str] | None:
    return None if names is None else sorted(names)


def _hand_over(context: CommandContext, key: Row) -> None:
    context.output.record(key)
    context.output.warn(_WARNING)
