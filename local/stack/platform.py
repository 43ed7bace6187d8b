"""The platform built from its declarations: functions, their event source mappings, and the gateway."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial

from starlette.types import ASGIApp, Receive, Scope, Send

from callmissed.platform.functions import AUTHORIZER, FUNCTIONS, Function
from callmissed.platform.queues import QUEUES, Queue
from callmissed.platform.routes import ROUTES, Route
from callmissed.platform.tables import TABLES, physical_name
from local.api_gateway.authorizer import LambdaAuthorizer
from local.api_gateway.gateway import ApiGateway, no_operators
from local.api_gateway.proxy_integration import ProxyIntegration
from local.api_gateway.sigv4 import verifier
from local.aws.clients import local_client
from local.aws.services import StageServices
from local.aws.tables import StageTables
from local.lambda_runtime.change_signal import ChangeSignal
from local.lambda_runtime.event_source_mappings import EventSourceMapping, EventSourceMappings
from local.lambda_runtime.functions import LambdaFunctions
from local.lambda_runtime.sqs_mapping import SqsMapping
from local.lambda_runtime.stream_mapping import StreamMapping, stream_arn


class LocalPlatform:
    """Every declared function that has a handler, over `tables` and `services`. `mappings.start()` starts polling.

    Raises LocalStackError when a handler's module is missing, botocore's `ClientError` when a table is.
    """

    def __init__(
        self,
        tables: StageTables,
        services: StageServices,
        *,
        declared: Sequence[Function] = FUNCTIONS,
        queues: Sequence[Queue] = QUEUES,
    ) -> None:
        self._declared = declared
        self._changes = ChangeSignal()
        at_once = {queue.consumer: queue.at_once for queue in queues}
        self.functions = LambdaFunctions(declared, after=self._changes.notify, at_once=at_once)
        self.functions.check_handlers()
        self.mappings = EventSourceMappings([*self._sqs_mappings(services, queues), *self._stream_mappings(tables)])

    def gateway(
        self, web_apps: Mapping[str, ASGIApp], routes: Sequence[Route] = ROUTES, *, operator_secret: str = ""
    ) -> ASGIApp:
        """The gateway in front of the functions, of which `web_apps` are those that stream.

        Operators sign their requests with `operator_secret`; without one there are none.
        """
        handled = [function.name for function in self._declared if function.handler]
        integrations = {name: ProxyIntegration(partial(self.functions.invoke, name)) for name in handled}
        authorizer = LambdaAuthorizer(partial(self.functions.invoke, AUTHORIZER.name), AUTHORIZER.timeout_seconds)
        gateway = ApiGateway(
            {**integrations, **web_apps},
            routes,
            authorize=authorizer.authorize,
            verify_operator=verifier(operator_secret) if operator_secret else no_operators,
        )

        async def notifying(scope: Scope, receive: Receive, send: Send) -> None:
            await gateway(scope, receive, send)
            self._changes.notify()  # a call writes to the ledger

        return notifying

    def close(self, seconds: float) -> None:
        """Start no more calls, and wait up to `seconds` for those that run."""
        self.mappings.stop()
        self.functions.close(seconds)

    def _sqs_mappings(self, services: StageServices, queues: Sequence[Queue]) -> Iterator[EventSourceMapping]:
        sqs = local_client("sqs", services.endpoint)
        for queue in queues:
            yield SqsMapping(sqs, services, queue, self.functions)

    def _stream_mappings(self, tables: StageTables) -> Iterator[EventSourceMapping]:
        dynamodb = local_client("dynamodb", tables.endpoint)
        streams = local_client("dynamodbstreams", tables.endpoint)
        declared_tables = {table.name: table for table in TABLES}
        for function in self._declared:
            if function.follows:
                yield StreamMapping(
                    streams,
                    stream_arn(dynamodb, physical_name(tables.stage, declared_tables[function.follows])),
                    function.name,
                    self.functions,
                    changes=self._changes,
                )
