"""One declared function as a Lambda: zip, arm64, Python 3.13, its own role, its own logs, and the alias `live`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from aws_cdk import CfnResource, Duration
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_destinations as destinations
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from callmissed.platform.functions import Function
from callmissed.platform.queues import QUEUES
from infra.bundling import assets
from infra.config import StageConfig
from infra.constructs import access
from infra.constructs.checks import accept, accept_lint
from infra.constructs.layers import ARCHITECTURE, RUNTIME, Layers
from infra.constructs.locations import ALIAS
from infra.constructs.logs import log_group
from infra.constructs.removal import KEEP

_LOG_LEVELS = {
    "DEBUG": lambda_.ApplicationLogLevel.DEBUG,
    "INFO": lambda_.ApplicationLogLevel.INFO,
}
_MAX_EVENT_AGE = Duration.hours(1)


@dataclass(frozen=True, slots=True)
class StackContext:
    """What all functions of one stack use."""

    config: StageConfig
    layers: Layers


@dataclass(frozen=True, slots=True)
class EntryPoint:
    """How Lambda starts the code, and what the start needs beside the function's own environment and layers."""

    handler: str
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    layers: Sequence[lambda_.ILayerVersion] = ()


def stack_context(scope: Construct, config: StageConfig, functions: Sequence[Function]) -> StackContext:
    """The context of the `functions` of the stack `scope`, with its own versions of the layers that they need."""
    return StackContext(config, Layers(scope, config, functions))


class PythonFunction(Construct):
    """`function` with its `role` and `logs`, published as `alias`; callers use the alias only."""

    def __init__(
        self,
        scope: Construct,
        declared: Function,
        context: StackContext,
        *,
        entry: EntryPoint | None = None,
        snap_start: bool = False,
        failures: sqs.IQueue | None = None,
        traced: bool = True,
    ) -> None:
        super().__init__(scope, declared.name)
        self.declared = declared
        self.logs = log_group(self, context.config, declared.name)
        self.role = _role(self, self.logs)
        entry = entry or EntryPoint(declared.handler or "")
        self.function = _function(self, context, entry, snap_start=snap_start, traced=traced)
        access.grant(self.role, declared, context.config)
        self.alias = lambda_.Alias(self, "Live", alias_name=ALIAS, version=self.function.current_version)  # pyright: ignore[reportArgumentType]
        if failures:
            self.alias.configure_async_invoke(
                on_failure=destinations.SqsDestination(failures),  # pyright: ignore[reportArgumentType]
                max_event_age=_MAX_EVENT_AGE,
                retry_attempts=2,
            )


def _role(scope: Construct, group: logs.LogGroup) -> iam.Role:
    role = iam.Role(scope, "Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))  # pyright: ignore[reportArgumentType]
    group.grant_write(role)
    accept(
        role,
        "X-Ray's actions for sending traces know no resources; every action on data names its own.",
        "AwsSolutions-IAM5[Resource::*]",
    )
    return role


def _function(
    owner: PythonFunction, context: StackContext, entry: EntryPoint, *, snap_start: bool, traced: bool
) -> lambda_.Function:
    declared, config = owner.declared, context.config
    function = lambda_.Function(
        owner,
        "Function",
        function_name=declared.physical_name(config.stage),
        runtime=RUNTIME,
        architecture=ARCHITECTURE,
        handler=entry.handler,
        code=_code(assets.function_code(declared) if config.bundle else assets.placeholder()),
        layers=[*context.layers.of(declared), *entry.layers],
        environment=access.environment(declared, config) | dict(entry.environment),
        memory_size=declared.memory_mb,
        timeout=Duration.seconds(declared.timeout_seconds),
        role=owner.role,  # pyright: ignore[reportArgumentType]
        log_group=owner.logs,
        # The authorizer says 401 by an exception: as JSON it is one line, as text a traceback.
        logging_format=lambda_.LoggingFormat.JSON,
        application_log_level_v2=_LOG_LEVELS[config.log_level],
        tracing=lambda_.Tracing.ACTIVE if traced else lambda_.Tracing.DISABLED,
        recursive_loop=_recursive_loop(declared),
        reserved_concurrent_executions=config.reserved_concurrency.get(declared.name),
        snap_start=lambda_.SnapStartConf.ON_PUBLISHED_VERSIONS if snap_start else None,
        # The version before stays: calls run on it for as long as they take, and its alias moves only eventually.
        # `callmissed versions prune` deletes it afterwards.
        current_version_options=lambda_.VersionOptions(removal_policy=KEEP),
    )
    _accept_findings(function)
    if not traced:
        accept(function, "A trace of each run by a clock costs more than it says.", "Serverless-LambdaTracing")
    return function


def _recursive_loop(declared: Function) -> lambda_.RecursiveLoop | None:
    """Lambda drops the message that ends a chain of some 16 calls, unless the function is declared to write to itself.

    https://docs.aws.amazon.com/lambda/latest/dg/invocation-recursion.html
    """
    own = {queue.name for queue in QUEUES if queue.consumer == declared.name}
    return lambda_.RecursiveLoop.ALLOW if own & set(declared.sends_to) else None


def _accept_findings(function: lambda_.Function) -> None:
    runtime = "3.13 is the newest Python that the code supports and is tested on."
    accept(function, runtime, "AwsSolutions-L1", "Serverless-LambdaLatestVersion")
    failures = "Whatever is invoked asynchronously has a failure destination, which also keeps the error."
    accept(function, failures, "Serverless-LambdaDLQ")
    resource = cast(CfnResource, function.node.default_child)
    accept_lint(resource, "The CDK adds a dependency on the role that a reference already implies.", "W3005")
    accept(function, "A version is published for `live`.", "@aws-cdk/aws-lambda:snapStartRequirePublish")


def _code(folder: Path) -> lambda_.AssetCode:
    return lambda_.Code.from_asset(str(folder))
