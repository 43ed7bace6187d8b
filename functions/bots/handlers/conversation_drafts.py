"""The function `conversation-drafts`: suggests replies. It calls models in its own process, as a library.

It is a function of its own, because the API of bots has no AI layer (docs/decisions/0025-drafts-function.md).
"""

from dataclasses import dataclass
from functools import cache
from typing import Any

from callmissed.aws.runtime import logs_failures, use_own_loop
from callmissed.aws.start import prepare_start
from callmissed.clock import Clock, system_clock
from callmissed.web.app import create_api, state_of
from callmissed.web.idempotency import keyed_server
from callmissed.web.lambda_handler import LambdaHandler
from callmissed.web.request_context import RequestContextMiddleware
from callmissed_ai.calls.container import Container, create_container
from functions.bots.inbox import draft_routes
from functions.bots.inbox.drafts import Drafts
from functions.bots.inbox.repository import InboxRepository
from functions.bots.inbox.service import Inbox
from functions.bots.sealed_composition import SealedComposition, compose_sealed

prepare_start("anyio._backends._asyncio")

ROUTERS = (draft_routes.router,)


@dataclass(frozen=True, slots=True)
class DraftServices:
    """The services of one process, which routes find by name in the application's state."""

    drafts: Drafts
    clock: Clock


def create_server(
    composition: SealedComposition, container: Container, *, clock: Clock = system_clock
) -> RequestContextMiddleware:
    """The served application, whose stored answers are sealed."""
    inbox = Inbox(InboxRepository(container.database))
    services = DraftServices(Drafts(inbox, container), clock)
    api = create_api("CallMissed drafts", ROUTERS, **state_of(services))
    return keyed_server(api, composition.settings, container.database, composition.sealer, clock)


@logs_failures("conversation-drafts")
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answer one request of API Gateway."""
    return _server()(event, context)


@cache
def _server() -> LambdaHandler:
    """Created at the first invocation, on its thread and loop."""
    composition = compose_sealed()
    server = create_server(composition, create_container(composition.settings))
    use_own_loop()
    return LambdaHandler(server)
