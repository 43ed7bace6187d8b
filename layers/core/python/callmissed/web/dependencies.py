"""What routes get of their application's state."""

from typing import Annotated, Any

from fastapi import Depends, Request

from callmissed.clock import Clock


def from_state(name: str) -> Any:
    """A dependency on the attribute `name` of the application's state."""

    async def attribute(request: Request) -> Any:
        return getattr(request.app.state, name)

    return Depends(attribute)


ClockOf = Annotated[Clock, from_state("clock")]
