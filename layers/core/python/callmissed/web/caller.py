"""The caller of a route below `/api/v1`: the authorizer's context, which API Gateway passes on."""

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Request
from starlette.types import Scope

from callmissed.errors import ApiError, invalid_api_key


@dataclass(frozen=True, slots=True)
class Caller:
    """An API key that the authorizer accepted, with its tenant."""

    tenant: str
    key_id: str
    mode: str


def caller(request: Request) -> Caller:
    """The request's caller. Raises ApiError 401 without the authorizer's context, 429 for a key above its rate."""
    context = authorizer_context(request.scope)
    if not context.get("tenant"):
        raise invalid_api_key()
    if wait := context.get("retry_after"):
        message = f"Rate limit reached. Retry in {wait} s."
        raise ApiError(429, "rate_limit_exceeded", message, headers={"Retry-After": str(wait)})
    return Caller(context["tenant"], context["key_id"], context["mode"])


def authorizer_context(scope: Scope) -> dict[str, Any]:
    """The authorizer's context, as Mangum passes it on; empty for a route without an authorizer.

    https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-lambda-authorizer-output.html
    """
    event: dict[str, Any] = scope.get("aws.event") or {}
    request_context: dict[str, Any] = event.get("requestContext") or {}
    return request_context.get("authorizer") or {}


CallerOf = Annotated[Caller, Depends(caller)]
