"""What routes of several packages read of a request."""

from typing import Annotated
from uuid import UUID

from fastapi import Depends, Path

from callmissed.errors import ApiError
from callmissed.web.caller import Caller, CallerOf, KeyCaller


async def _bot_id(bot_id: Annotated[UUID, Path(description="Id of a bot.")]) -> str:
    return str(bot_id)


def check_live(caller: Caller) -> None:
    """Raise ApiError 403 for a test key, on a route that reaches a provider."""
    if isinstance(caller, KeyCaller) and caller.mode != "live":
        message = "A test key never leaves the sandbox, and this route reaches a provider. Use a live key."
        raise ApiError(403, "permission_denied", message)


async def _live_caller(caller: CallerOf) -> Caller:
    check_live(caller)
    return caller


LiveCallerOf = Annotated[Caller, Depends(_live_caller)]
"""The caller of a route that reaches a provider."""

BotIdOf = Annotated[str, Depends(_bot_id)]
"""The bot of the path, whoever's it is."""
