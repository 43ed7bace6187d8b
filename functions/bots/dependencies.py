"""What routes of several packages read of a request."""

from typing import Annotated
from uuid import UUID

from fastapi import Depends, Path

from callmissed.errors import ApiError
from callmissed.web.caller import Caller, CallerOf, KeyCaller


async def _bot_id(bot_id: Annotated[UUID, Path(description="Id of a bot.")]) -> str:
    return str(bot_id)


async def _live_caller(caller: CallerOf) -> Caller:
    """The caller, who may reach Meta and Twilio. Raises ApiError 403 for a test key."""
    if isinstance(caller, KeyCaller) and caller.mode != "live":
        message = "A test key never leaves the sandbox, and this route reaches a provider. Use a live key."
        raise ApiError(403, "permission_denied", message)
    return caller


LiveCallerOf = Annotated[Caller, Depends(_live_caller)]
"""The caller of a route that reaches a provider."""

BotIdOf = Annotated[str, Depends(_bot_id)]
"""The bot of the path, whoever's it is."""
