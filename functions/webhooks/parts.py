"""What the routes work with."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from callmissed.clock import Clock
from callmissed.web.caller import CallerOf
from functions.webhooks.delivery.attempts import Attempting
from functions.webhooks.delivery.service import Deliveries
from functions.webhooks.replays.service import Replays
from functions.webhooks.storage.records import Endpoint
from functions.webhooks.subscriptions.service import Subscriptions


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of one process."""

    subscriptions: Subscriptions
    deliveries: Deliveries
    replays: Replays
    attempts: Attempting
    clock: Clock


async def parts(request: Request) -> Parts:
    """The parts of the request's application."""
    return request.app.state.parts


async def endpoint(webhook_id: str, caller: CallerOf) -> Endpoint:
    """The webhook of the path, if it is the caller's."""
    return Endpoint(caller.tenant, webhook_id)


PartsOf = Annotated[Parts, Depends(parts)]
EndpointOf = Annotated[Endpoint, Depends(endpoint)]
