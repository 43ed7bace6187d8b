"""Functions behind handlers, called with events of API Gateway on the test's own event loop."""

from typing import Any, cast

from mangum.handlers.api_gateway import APIGateway
from mangum.protocols.http import HTTPCycle
from mangum.types import LambdaContext
from starlette.types import ASGIApp

from callmissed.web.lambda_handler import Event, GatewayScope, normalized

_CONFIG = {"api_gateway_base_path": "/", "text_mime_types": ["text/", "application/json"], "exclude_headers": []}


async def answer_event(app: ASGIApp, event: Event) -> dict[str, Any]:
    """The answer of a function whose `LambdaHandler` serves `app`."""
    gateway = APIGateway(normalized(event), cast("LambdaContext", None), _CONFIG)  # pyright: ignore[reportArgumentType]
    cycle = HTTPCycle(gateway.scope, gateway.body)
    await cycle.run(GatewayScope(app))  # pyright: ignore[reportArgumentType]
    return gateway({"status": cycle.status, "headers": cycle.headers, "body": cycle.body})
