"""The webhook of a path."""

from typing import Annotated

from fastapi import Depends

from callmissed.web.caller import CallerOf
from functions.webhooks.storage.records import Endpoint


async def _endpoint(webhook_id: str, caller: CallerOf) -> Endpoint:
    """The webhook of the path, if it is the caller's."""
    return Endpoint(caller.tenant, webhook_id)


EndpointOf = Annotated[Endpoint, Depends(_endpoint)]
