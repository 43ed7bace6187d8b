"""`callmissed versions`."""

from typing import Annotated

import typer

from callmissed.clock import Micros, iso
from callmissed.platform.functions import FUNCTIONS
from cli.context import CommandContext
from cli.errors import CommandError
from cli.function_versions import PrunedFunction, prune_function
from cli.groups import command_group
from cli.stage_command import stage_command

COLUMNS = {"function": "function", "live": "live", "deleted": "deleted", "kept": "kept"}

versions = command_group("versions")


@stage_command(versions, "prune", of_tenant=False)
async def prune(
    context: CommandContext,
    *,
    keep: Annotated[int, typer.Option(min=0, help="How many versions before the live one to keep.")] = 0,
) -> None:
    """Delete versions of functions that no alias uses, and on which no call can run any more."""
    api = context.lambdas()
    pruned: list[PrunedFunction] = []
    try:
        for function in FUNCTIONS:
            found = prune_function(api, function.physical_name(context.stage), context.clock(), keep)
            if found:
                pruned.append(found)
    finally:
        if pruned:
            context.output.rows([each.row() for each in pruned], COLUMNS)
    if not pruned:
        raise CommandError(f"The stage '{context.stage}' has no functions.")
    if waiting := [each.idle_at for each in pruned if each.idle_at]:
        last = iso(Micros(max(waiting)))
        context.output.warn(f"Calls may still run on versions that were live before. Prune again after {last}.")
