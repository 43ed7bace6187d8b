"""What routes get of a request: who acts, from where."""

from typing import Annotated

from fastapi import Depends, Request

from callmissed.audit.events import Actor, ActorKind
from callmissed.web.caller import PersonOf, source_address

MAX_USER_AGENT = 512


def _visitor(request: Request) -> Actor:
    """Somebody who is not signed in: an address and a browser."""
    return _actor(request, "")


def _person_acting(request: Request, person: PersonOf) -> Actor:
    """The signed-in person of the request."""
    return _actor(request, person.user_id)


def _actor(request: Request, user_id: str) -> Actor:
    agent = request.headers.get("user-agent", "")[:MAX_USER_AGENT]
    return Actor(ActorKind.PERSON, user_id, source_address(request.scope), agent)


VisitorOf = Annotated[Actor, Depends(_visitor)]
ActorOf = Annotated[Actor, Depends(_person_acting)]
