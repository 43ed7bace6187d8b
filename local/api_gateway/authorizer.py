"""The Lambda authorizer before the routes of accounts, called for every request: no answer is cached.

https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-use-lambda-authorizer.html
"""

import asyncio
import logging
from fnmatch import fnmatchcase
from typing import Any, Literal

from pydantic import BaseModel, Field, ValidationError

from callmissed.errors import ApiError, service_unavailable, unauthorized
from local.api_gateway.events import HttpRequest, authorizer_event, method_arn
from local.api_gateway.proxy_integration import Invoke

UNAUTHORIZED = "Unauthorized"
"""The text of the exception with which an authorizer asks for a 401; any other is a failure."""

_logger = logging.getLogger("callmissed.local")


class _Statement(BaseModel):
    effect: Literal["Allow", "Deny"] = Field(alias="Effect")
    resource: str | list[str] = Field(alias="Resource")

    def covers(self, arn: str) -> bool:
        patterns = [self.resource] if isinstance(self.resource, str) else self.resource
        # IAM knows `*` and `?`; brackets are letters there.
        return any(fnmatchcase(arn, pattern.replace("[", "[[]")) for pattern in patterns)


class _Policy(BaseModel):
    statements: list[_Statement] = Field(alias="Statement")


class _AuthorizerResponse(BaseModel):
    principal: str = Field(alias="principalId")
    policy: _Policy = Field(alias="policyDocument")
    context: dict[str, str | int | float | bool | None] = Field(default_factory=dict[str, Any])


class LambdaAuthorizer:
    """Calls the authorizer by `invoke`, and waits `timeout_seconds` for its response."""

    def __init__(self, invoke: Invoke, timeout_seconds: float) -> None:
        self._invoke = invoke
        self._timeout_seconds = timeout_seconds

    async def authorize(self, request: HttpRequest) -> dict[str, str]:
        """The `requestContext.authorizer` of the function behind the route: values as text.

        Raises ApiError: 401 when the authorizer asks for it, 403 when its policy denies, 503 when it fails.
        """
        response = await self._call(request)
        context = {name: _text(value) for name, value in response.context.items() if value is not None}
        effects = {
            statement.effect for statement in response.policy.statements if statement.covers(method_arn(request))
        }
        if effects != {"Allow"}:
            raise ApiError(403, "permission_denied", "Access denied.")
        return {**context, "principalId": response.principal}

    async def _call(self, request: HttpRequest) -> _AuthorizerResponse:
        try:
            async with asyncio.timeout(self._timeout_seconds):
                return _AuthorizerResponse.model_validate(await self._invoke(authorizer_event(request)))
        except (ValidationError, TimeoutError):
            _logger.exception("the authorizer gave no valid answer")
        except Exception as error:
            if str(error) == UNAUTHORIZED:
                raise unauthorized() from None
            _logger.exception("the authorizer failed")
        raise service_unavailable()


def _text(value: str | float | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
