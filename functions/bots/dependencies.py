"""What routes of several packages read of a request."""

from typing import Annotated
from uuid import UUID

from fastapi import Depends, Path


async def _bot_id(bot_id: Annotated[UUID, Path(description="Id of a bot.")]) -> str:
    return str(bot_id)


BotIdOf = Annotated[str, Depends(_bot_id)]
"""The bot of the path, whoever's it is."""
