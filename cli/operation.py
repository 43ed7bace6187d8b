"""Turns a coroutine over a stage into a command: adds the options that say which stage, runs it, explains failures."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer
from botocore.credentials import Credentials

from callmissed.aws.database import Database
from callmissed.clock import Clock, system_clock
from callmissed.keys.management import KeyManager
from callmissed.settings import CoreSettings
from cli.failures import EXPECTED, CommandError, explain
from cli.output import Output
from cli.target import DEFAULT_REGION, DEFAULT_STATE, Target, find_target

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient


@dataclass(frozen=True, slots=True)
class Session:
    """One command at work on one stage. `tenant_id` is the tenant that the caller named, or the desk's own."""

    settings: CoreSettings
    database: Database
    output: Output
    tenant_id: str | None
    clock: Clock = system_clock
    credentials: Credentials | None = None

    @property
    def stage(self) -> str:
        """Name of the stage."""
        return self.settings.stage

    @property
    def tenant(self) -> str:
        """The tenant to work on. Raises CommandError when none is named."""
        if self.tenant_id is None:
            raise CommandError("Name the tenant with --tenant.")
        return self.tenant_id

    def keys(self, *, hashing: bool = False) -> KeyManager:
        """The stage's keys. Only with `hashing` are the peppers read, which new secrets need."""
        pepper = self.settings.pepper_ring[0] if hashing else b""
        return KeyManager(self.database, pepper)

    def sqs(self) -> "SQSClient":
        """A client for the stage's queues."""
        from callmissed.aws.clients import client  # boto3 takes half a second, which few commands need

        return client("sqs", self.settings, self.credentials)


Work = Callable[..., Awaitable[None]]


def operation(group: typer.Typer, name: str, *, of_tenant: bool = True) -> Callable[[Work], Work]:
    """Make `group`'s command `name` of a coroutine function that takes a Session and keyword options.

    Without `of_tenant` it is not about one tenant, and has no option to name it.
    """
    where = [parameter for parameter in _WHERE if of_tenant or parameter.name != "tenant"]

    def register(work: Work) -> Work:
        def command(**options: Any) -> None:
            _carry_out(work, options, **{parameter.name: options.pop(parameter.name) for parameter in where})

        parameters = [*list(inspect.signature(work).parameters.values())[1:], *where]
        typed = cast("Any", command)
        typed.__doc__ = work.__doc__
        typed.__signature__ = inspect.Signature(parameters)
        typed.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        group.command(name)(command)
        return work

    return register


def _carry_out(
    work: Work,
    options: dict[str, Any],
    *,
    tenant: Annotated[str | None, typer.Option(help="The tenant's id; of the local stack, its own.")] = None,
    state: Annotated[Path, typer.Option(help="Folder from which the local stack runs.")] = DEFAULT_STATE,
    stage: Annotated[str | None, typer.Option(help="A deployed stage, instead of the local stack.")] = None,
    region: Annotated[
        str, typer.Option(envvar=["AWS_REGION", "AWS_DEFAULT_REGION"], help="AWS region of the deployed stage.")
    ] = DEFAULT_REGION,
    json: Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")] = False,
) -> None:
    output, target = Output(as_json=json), None
    try:
        target = find_target(state, stage, region)
        asyncio.run(_session(target, output, tenant, work, options))
    except EXPECTED as error:
        output.fail(explain(error, target.settings if target else None))
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


async def _session(target: Target, output: Output, tenant: str | None, work: Work, options: dict[str, Any]) -> None:
    database = target.connect()
    try:
        session = Session(target.settings, database, output, tenant or target.tenant, credentials=target.credentials)
        await work(session, **options)
    finally:
        await database.close()


_WHERE = list(inspect.signature(_carry_out).parameters.values())[2:]
