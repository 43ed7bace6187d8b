"""Commands that work on a stage: options that choose the stage, one run of the coroutine, errors in one line."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any, cast

import typer

from cli.context import CommandContext
from cli.errors import EXPECTED_ERRORS, explain
from cli.groups import DEFAULT_STATE
from cli.output import Output
from cli.target import DEFAULT_REGION, find_target

CommandFunction = Callable[..., Awaitable[None]]


def stage_command(
    group: typer.Typer, name: str, *, of_tenant: bool = True, changes: bool = False
) -> Callable[[CommandFunction], CommandFunction]:
    """Register a coroutine function, which takes a CommandContext and keyword options, as `group`'s command `name`.

    Without `of_tenant` the command is not about one tenant, and has no option to name one. A command that `changes`
    something has an option for the reason.
    """
    left_out = {name for name, wanted in (("tenant", of_tenant), ("reason", changes)) if not wanted}
    stage_options = [parameter for parameter in _STAGE_OPTIONS if parameter.name not in left_out]

    def register(function: CommandFunction) -> CommandFunction:
        def command(**options: Any) -> None:
            _run(function, options, **{parameter.name: options.pop(parameter.name) for parameter in stage_options})

        parameters = [*list(inspect.signature(function).parameters.values())[1:], *stage_options]
        typed = cast("Any", command)
        typed.__doc__ = function.__doc__
        typed.__signature__ = inspect.Signature(parameters)
        typed.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        group.command(name)(command)
        return function

    return register


def _run(
    function: CommandFunction,
    options: dict[str, Any],
    *,
    tenant: Annotated[str | None, typer.Option(help="The tenant's id; of the local stack, its own.")] = None,
    state: Annotated[Path, typer.Option(help="Folder from which the local stack runs.")] = DEFAULT_STATE,
    stage: Annotated[str | None, typer.Option(help="A deployed stage, instead of the local stack.")] = None,
    region: Annotated[
        str, typer.Option(envvar=["AWS_REGION", "AWS_DEFAULT_REGION"], help="AWS region of the deployed stage.")
    ] = DEFAULT_REGION,
    reason: Annotated[
        str | None,
        typer.Option(envvar="CALLMISSED_REASON", help="Why, for the tenant's audit log; a deployed stage asks for it."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")] = False,
) -> None:
    output, target = Output(as_json=json), None
    try:
        target = find_target(state, stage, region)
        context = CommandContext(
            target.settings,
            target.connect(),
            output,
            tenant or target.tenant,
            credentials=target.credentials,
            reason=reason,
            base_url=target.base_url,
            operator_credentials=target.operator_credentials,
        )
        asyncio.run(_call(function, options, context))
    except EXPECTED_ERRORS as error:
        output.fail(explain(error, target.settings if target else None))
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


async def _call(function: CommandFunction, options: dict[str, Any], context: CommandContext) -> None:
    try:
        await function(context, **options)
    finally:
        await context.database.close()


_STAGE_OPTIONS = list(inspect.signature(_run).parameters.values())[2:]
