"""The platform put together from its declarations: functions, what feeds them, and the gateway before them."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial

from starlette.types import ASGIApp, Receive, Scope, Send

from callmissed.platform.functions import AUTHORIZER, FUNCTIONS, Function
from callmissed.platform.queues import QUEUES, Queue
from callmissed.platform.routes import ROUTES, Route
from callmissed.platform.tables import TABLES, physical_name
from local.api_gateway.authorizer import Authorizer
from local.api_gateway.gateway import Gateway
from local.api_gateway.proxy_integration import ProxyFunction
from local.aws.clients import local_client
from local.aws.engines import Store
from local.aws.services import Services
from local.lambda_runtime.functions import Functions
from local.lambda_runtime.sqs_mapping import Feeds, QueueSource, Source
from local.lambda_runtime.stream_mapping import Bell, StreamSource, stream_arn


class Platform:
    """Everything declared that has a handler, over `store` and `services`. Nothing runs before `feeds.start()`.

    Raises DeskError when a handler's module is missing, botocore's `ClientError` when a table is.
    """

    def __init__(
        self,
        store: Store,
        services: Services,
        *,
        declared: Sequence[Function] = FUNCTIONS,
        queues: Sequence[Queue] = QUEUES,
    ) -> None:
        self._declared = declared
        self._bell = Bell()
        self.functions = Functions(declared, after=self._bell.ring)
        self.functions.check()
        self.feeds = Feeds([*self._queues(services, queues), *self._streams(store)])

    def gateway(self, web_apps: Mapping[str, ASGIApp], routes: Sequence[Route] = ROUTES) -> ASGIApp:
        """The gateway before the functions, of which `web_apps` are those that stream."""
        handled = [function.name for function in self._declared if function.handler]
        proxies = {name: ProxyFunction(partial(self.functions.call, name)) for name in handled}
        authorizer = Authorizer(partial(self.functions.call, AUTHORIZER.name), AUTHORIZER.timeout_seconds)
        gateway = Gateway({**proxies, **web_apps}, routes, authorize=authorizer.authorize)

        async def heard(scope: Scope, receive: Receive, send: Send) -> None:
            await gateway(scope, receive, send)
            self._bell.ring()  # a call writes to the ledger

        return heard

    def close(self, seconds: float) -> None:
        """Begin nothing more, and give what runs `seconds` to end."""
        self.feeds.stop()
        self.functions.close(seconds)

    def _queues(self, services: Services, queues: Sequence[Queue]) -> Iterator[Source]:
        sqs = local_client("sqs", services.endpoint)
        for queue in queues:
            yield QueueSource(sqs, services, queue, self.functions)

    def _streams(self, store: Store) -> Iterator[Source]:
        dynamodb = local_client("dynamodb", store.endpoint)
        streams = local_client("dynamodbstreams", store.endpoint)
        tables = {table.name: table for table in TABLES}
        for function in self._declared:
            if function.follows:
                yield StreamSource(
                    streams,
                    stream_arn(dynamodb, physical_name(store.stage, tables[function.follows])),
                    function.name,
                    self.functions,
                    bell=self._bell,
                )
