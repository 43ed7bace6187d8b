"""Refusals of the authorizer that a function answers: what API Gateway makes of a Deny has no words of its own.

API Gateway answers a Deny with its response ACCESS_DENIED, whose template is not processed by VTL and only replaces
variables. It answers with the same template when IAM refuses an operator, and then no authorizer has said anything:
https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-swagger-extensions-gateway-responses.responseTemplates.html
So the authorizer allows such a request with a context that names no caller, and `RequestContextMiddleware` answers it
before the application sees it.
"""

from collections.abc import Mapping
from typing import Any

from callmissed.errors import ApiError

_RETRY_AFTER = "Retry-After"


def context_of(refusal: ApiError) -> Mapping[str, str]:
    """The authorizer's context that says `refusal`. API Gateway passes strings only."""
    context = {"refused": str(refusal.status), "code": refusal.code, "message": refusal.message}
    wait = refusal.headers.get(_RETRY_AFTER)
    return context if wait is None else {**context, "retry_after": wait}


def refusal_of(context: Mapping[str, Any]) -> ApiError | None:
    """The refusal that `context_of` wrote; None for a caller who was accepted."""
    if "refused" not in context:
        return None
    wait = context.get("retry_after")
    headers = {_RETRY_AFTER: str(wait)} if wait else {}
    return ApiError(int(context["refused"]), context["code"], context["message"], headers=headers)
