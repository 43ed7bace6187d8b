"""Who acts by a request, for the audit log: a signed-in person, an API key or an operator, and from where."""

from collections.abc import Callable
from functools import partial
from typing import Annotated

from fastapi import Depends, Request

from callmissed.audit.events import MAX_USER_AGENT, Actor, ActorKind
from callmissed.errors import ApiError
from callmissed.web.caller import CallerOf, Person, operator_arn, source_address


def acting(request: Request, kind: ActorKind, actor_id: str, reason: str = "") -> Actor:
    """The actor of `request`, with the address and the browser or program that sent it."""
    agent = request.headers.get("user-agent", "")[:MAX_USER_AGENT]
    return Actor(kind, actor_id, source_address(request.scope), agent, reason)


def _caller_acting(request: Request, caller: CallerOf) -> Actor:
    if isinstance(caller, Person):
        return acting(request, ActorKind.PERSON, caller.user_id)
    return acting(request, ActorKind.KEY, caller.key_id)


def _operator_acting(request: Request) -> Callable[[str], Actor]:
    arn = operator_arn(request.scope)
    if not arn:
        raise ApiError(403, "permission_denied", "This route is for operators.")
    return partial(acting, request, ActorKind.OPERATOR, arn)


ActorOf = Annotated[Actor, Depends(_caller_acting)]
"""The caller that the authorizer accepted."""

OperatorOf = Annotated[Callable[[str], Actor], Depends(_operator_acting)]
"""The operator whose signature API Gateway accepted: the actor, by the reason that the operator gives."""
