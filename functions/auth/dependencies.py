"""What routes get of a request: who acts, from where."""

from typing import Annotated

from fastapi import Depends, Request
from fastapi.params import Depends as Dependency

from callmissed.audit.events import Actor, ActorKind
from callmissed.rate_limits import Limit, SlidingWindows, network_of
from callmissed.web.actor import acting
from callmissed.web.caller import PersonOf, source_address
from callmissed.web.dependencies import ClockOf, from_state


def _visitor(request: Request) -> Actor:
    """Somebody who is not signed in: an address and a browser."""
    return acting(request, ActorKind.PERSON, "")


def _person_acting(request: Request, person: PersonOf) -> Actor:
    """The signed-in person of the request."""
    return acting(request, ActorKind.PERSON, person.user_id)


def per_network(name: str, count: int) -> Dependency:
    """A dependency that lets a network send `count` requests in any minute. The body of a refused one is not read."""
    limit = Limit(name, count)

    async def check(request: Request, windows: WindowsOf, clock: ClockOf) -> None:
        await windows.count(limit, network_of(source_address(request.scope)), clock())

    return Depends(check)


WindowsOf = Annotated[SlidingWindows, from_state("windows")]
VisitorOf = Annotated[Actor, Depends(_visitor)]
ActorOf = Annotated[Actor, Depends(_person_acting)]
