"""What routes get of their application, and the webhook of a path."""

from typing import Annotated, Any

from fastapi import Depends, Request

from callmissed.clock import Clock
from callmissed.web.caller import CallerOf
from functions.webhooks.storage.records import Endpoint


def from_state(name: str) -> Any:
    """A dependency on the attribute `name` of the application's state."""

    async def attribute(request: Request) -> Any:
        return getattr(request.app.state, name)

    return Depends(attribute)


async def _endpoint(webhook_id: str, caller: CallerOf) -> Endpoint:
    """The webhook of the path, if it is the caller's."""
    return Endpoint(caller.tenant, webhook_id)


ClockOf = Annotated[Clock, from_state("clock")]
EndpointOf = Annotated[Endpoint, Depends(_endpoint)]
