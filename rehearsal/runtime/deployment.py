"""A deployed plan: the gate, an environment for each function, the API, and what calls functions by itself."""

import asyncio
import json
import re
import secrets
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvicorn
from aiohttp import web
from starlette.types import ASGIApp, Receive, Scope, Send

from callmissed.platform.queues import PASSING, Queue
from local.aws.services import StageServices
from local.fakes.cashfree.fake import FakeCashfree
from local.fakes.graph.fake import FakeGraph
from local.lambda_runtime.change_signal import ChangeSignal
from local.lambda_runtime.event_source_mappings import EventSourceMapping, EventSourceMappings
from local.lambda_runtime.sqs_mapping import SqsMapping
from local.lambda_runtime.stream_mapping import StreamMapping, stream_arn
from local.ports import HOST, bind, port_of
from local.stack.whatsapp import graph_setting
from rehearsal.access.gate import AccessGate, Principal
from rehearsal.access.roles import policies_of
from rehearsal.errors import RehearsalError, UnsupportedError
from rehearsal.runtime.api_front import create_front
from rehearsal.runtime.bundles import bundle_of, lay_out_client
from rehearsal.runtime.environments import DeployedFunction, ExecutionEnvironment, Surroundings, lay_out_tools
from rehearsal.runtime.invocations import Invocations
from rehearsal.runtime.web_adapter import WebEnvironment
from rehearsal.stage.engines import Engines
from rehearsal.templates.assembly import CloudAssembly
from rehearsal.templates.identities import function_name
from rehearsal.templates.plan import DeploymentPlan, PlannedResource

_ADDITIONS = {"CALLMISSED_ALLOW_LOOPBACK": "true", "CALLMISSED_MAIL_TRANSPORT": "local"}
"""The receivers of webhooks and Meta's stand-in are on this machine, and mails stay on it."""
OUTBOX = "outbox"
"""Folder of the mails, which are not sent."""
_INSERTS = [{"eventName": ["INSERT"]}]
_SCHEDULED_TIME = re.compile(r"<aws\.scheduler\.scheduled-time>")


class _LiveApi:
    """The API as it was deployed last. A request in flight ends where it began."""

    app: ASGIApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(scope, receive, send)


@dataclass(slots=True)
class Deployment:
    """A stage that runs. `url` is where its API answers.

    `graph` takes the place of Meta, and `cashfree` that of the payment gateway.
    `environments` are those behind the aliases, by the function's name; `versions` are all, by the version's path.
    """

    plan: DeploymentPlan
    engines: Engines
    gate: AccessGate
    surroundings: Surroundings
    graph: FakeGraph
    cashfree: FakeCashfree
    environments: dict[str, ExecutionEnvironment] = field(default_factory=dict[str, ExecutionEnvironment])
    versions: dict[str, ExecutionEnvironment] = field(default_factory=dict[str, ExecutionEnvironment])
    api: _LiveApi = field(default_factory=_LiveApi)
    url: str = ""

    @property
    def outbox(self) -> Path:
        """Where the mails are."""
        return Path(self.surroundings.additions["CALLMISSED_MAIL_OUTBOX"])

    def deploy(self, plan: DeploymentPlan, assembly: CloudAssembly) -> None:
        """Run the versions of `plan` that do not run yet, and move the aliases to them."""
        self.plan = plan
        self.gate.policies = policies = policies_of(plan)
        functions = {function.name: function for function in plan.of("AWS::Lambda::Function")}
        for version in plan.of("AWS::Lambda::Version"):
            if version.path not in self.versions:
                name = version.properties["FunctionName"]
                function = _function(functions[name], plan, assembly)
                self.gate.principals[function.access_key] = function.principal
                self.versions[version.path] = self.environments[name] = _environment(function, self.surroundings)
        aliases = {alias.identity.ref: self.environments[alias.properties["FunctionName"]] for alias in _aliases(plan)}
        self.api.app = create_front(plan, policies, aliases)

    async def delete_versions(self, deleted: Sequence[PlannedResource]) -> None:
        """End the versions among the `deleted` resources, with the calls that run on them."""
        for resource in deleted:
            if environment := self.versions.pop(resource.path, None):
                await environment.end()

    async def run_schedule(self, schedule: PlannedResource, at: str) -> Any:
        """Call the target of a schedule, as of the time `at`. Raises FunctionError."""
        target = schedule.properties["Target"]
        event = json.loads(_SCHEDULED_TIME.sub(at, target["Input"]))
        return await self.environments[function_name(target["Arn"])].invoke(event)


@asynccontextmanager
async def deployed(
    plan: DeploymentPlan, assembly: CloudAssembly, engines: Engines, folder: Path
) -> AsyncGenerator[Deployment]:
    """Run the functions of `plan` over resources that exist in `engines`. Logs go below `folder`."""
    urls = {"dynamodb": engines.dynamodb_url, "": engines.other_url}
    names = {secret.arn: secret.name for secret in plan.of("AWS::SecretsManager::Secret")}
    gate = AccessGate(urls, policies_of(plan), {}, names)
    async with AsyncExitStack() as stack:
        gate_url = await stack.enter_async_context(_serving(gate))
        graph = stack.enter_context(FakeGraph().serving())
        cashfree = stack.enter_context(FakeCashfree().serving())
        own = {
            "CALLMISSED_MAIL_OUTBOX": str(folder / OUTBOX),
            "CALLMISSED_GRAPH_URL": graph_setting(graph.url),
            "CALLMISSED_CASHFREE_URL": cashfree.api_url,
        }
        additions = {**_ADDITIONS, **own}
        surroundings = Surroundings(
            folder / "logs", lay_out_tools(folder / "tools"), lay_out_client(folder / "client"), gate_url, additions
        )
        deployment = Deployment(plan, engines, gate, surroundings, graph, cashfree)
        deployment.deploy(plan, assembly)
        invocations = Invocations(deployment.environments)
        mappings = EventSourceMappings(list(_mappings(plan, engines, invocations)))
        try:
            async with _listening(deployment.api) as deployment.url:
                mappings.start()
                yield deployment
        finally:
            mappings.stop()
            await invocations.stop()
            await asyncio.gather(*(environment.end() for environment in deployment.versions.values()))


def _aliases(plan: DeploymentPlan) -> list[PlannedResource]:
    return plan.of("AWS::Lambda::Alias")


def _function(resource: PlannedResource, plan: DeploymentPlan, assembly: CloudAssembly) -> DeployedFunction:
    access_key = f"ASIA{secrets.token_hex(8).upper()}"
    principal = Principal(resource.name, resource.properties["Role"], secrets.token_hex(16))
    return DeployedFunction(resource, bundle_of(resource, plan, assembly), access_key, principal)


def _environment(function: DeployedFunction, surroundings: Surroundings) -> ExecutionEnvironment:
    kind = WebEnvironment if function.bundle.web_adapter else ExecutionEnvironment
    return kind(function, surroundings)


@asynccontextmanager
async def _serving(gate: AccessGate) -> AsyncGenerator[str]:
    runner = web.AppRunner(gate.app(), access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    await web.TCPSite(runner, HOST, 0).start()
    try:
        yield f"http://{HOST}:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def _listening(app: Any) -> AsyncGenerator[str]:
    """Serve an ASGI application; gives its URL."""
    listener = bind(0)
    config = uvicorn.Config(app, http="httptools", ws="none", lifespan="off", log_level="critical", access_log=False)
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve([listener]))
    try:
        while not server.started:
            if serving.done():
                raise RehearsalError("the API's server did not start")
            await asyncio.sleep(0.02)
        yield f"http://{HOST}:{port_of(listener)}"
    finally:
        server.should_exit = True
        await asyncio.wait([serving])


def _mappings(plan: DeploymentPlan, engines: Engines, invocations: Invocations) -> Iterator[EventSourceMapping]:
    for mapping in plan.of("AWS::Lambda::EventSourceMapping"):
        function = function_name(mapping.properties["FunctionName"])
        source = mapping.properties["EventSourceArn"]
        if ":sqs:" in source:
            yield _sqs_mapping(mapping, plan, engines, function, invocations)
        else:
            yield _stream_mapping(mapping, engines, function, invocations)


def _sqs_mapping(
    mapping: PlannedResource, plan: DeploymentPlan, engines: Engines, function: str, invocations: Invocations
) -> SqsMapping:
    queue = plan.with_arn(mapping.properties["EventSourceArn"])
    if queue is None:
        raise RehearsalError(f"{mapping.path}: its queue does not exist")
    stage = queue.name.split("-")[1]
    declared = Queue(
        queue.name.removeprefix(f"callmissed-{stage}-"),
        consumer=function,
        visibility_seconds=queue.properties["VisibilityTimeout"],
        tenant_data=PASSING,
        batch=mapping.properties.get("BatchSize", 10),
    )
    return SqsMapping(engines.client("sqs"), StageServices(engines.other_url, stage), declared, invocations)


def _stream_mapping(
    mapping: PlannedResource, engines: Engines, function: str, invocations: Invocations
) -> StreamMapping:
    filters = [json.loads(each["Pattern"]) for each in mapping.properties.get("FilterCriteria", {}).get("Filters", [])]
    if filters != _INSERTS:
        raise UnsupportedError(f"{mapping.path}: the rehearsal knows the filter {_INSERTS} only")
    table = mapping.properties["EventSourceArn"].split("/")[1]
    arn = stream_arn(engines.client("dynamodb"), table)
    streams = engines.client("dynamodbstreams")
    return StreamMapping(streams, arn, function, invocations, changes=ChangeSignal())
