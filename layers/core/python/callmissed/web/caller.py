"""The caller of a route below `/api/v1`: the authorizer's context, which API Gateway passes on."""

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Request
from starlette.types import Scope

from callmissed.errors import ApiError, invalid_api_key
from callmissed.platform.routes.route import Role


@dataclass(frozen=True, slots=True)
class KeyCaller:
    """An API key that the authorizer accepted, with its tenant."""

    tenant: str
    key_id: str
    mode: str


@dataclass(frozen=True, slots=True)
class Person:
    """A signed-in person whom the authorizer accepted."""

    tenant: str
    user_id: str
    session_id: str
    role: Role


Caller = KeyCaller | Person


def caller(request: Request) -> Caller:
    """The request's caller. Raises ApiError 401 without one in the authorizer's context."""
    context = authorizer_context(request.scope)
    if not context.get("tenant"):
        raise invalid_api_key()
    if user_id := context.get("user_id"):
        return Person(context["tenant"], user_id, context["session_id"], Role(context["role"]))
    return KeyCaller(context["tenant"], context["key_id"], context["mode"])


def person(request: Request) -> Person:
    """The signed-in person of the request. Raises ApiError as `caller`, and 401 for a key."""
    found = caller(request)
    if not isinstance(found, Person):
        raise invalid_api_key()
    return found


def authorizer_context(scope: Scope) -> dict[str, Any]:
    """The authorizer's context, as Mangum passes it on; empty for a route without an authorizer.

    https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-lambda-authorizer-output.html
    """
    return _request_context(scope).get("authorizer") or {}


def refusal_of(scope: Scope) -> ApiError | None:
    """The authorizer's refusal of a caller whom it does not name; None for one who was accepted.

    A function answers it, because what API Gateway makes of a Deny has no words of its own: the template of its
    ACCESS_DENIED is not VTL, and answers for IAM too, when no authorizer has spoken.
    https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-swagger-extensions-gateway-responses.responseTemplates.html
    """
    context = authorizer_context(scope)
    if "refused" not in context:
        return None
    wait = context.get("retry_after")
    headers = {"Retry-After": str(wait)} if wait else {}
    return ApiError(int(context["refused"]), context["code"], context["message"], headers=headers)


def source_address(scope: Scope) -> str:
    """The caller's IP address, as API Gateway saw it. No header can change it."""
    return _identity(scope).get("sourceIp") or ""


def operator_arn(scope: Scope) -> str:
    """ARN of the operator who signed the request, as API Gateway verified it on a route with `Auth.OPERATOR`."""
    return _identity(scope).get("userArn") or ""


def _identity(scope: Scope) -> dict[str, Any]:
    return _request_context(scope).get("identity") or {}


def _request_context(scope: Scope) -> dict[str, Any]:
    event: dict[str, Any] = scope.get("aws.event") or {}
    return event.get("requestContext") or {}


CallerOf = Annotated[Caller, Depends(caller)]
PersonOf = Annotated[Person, Depends(person)]
