"""The REQUEST authorizer of routes with `Auth.ACCOUNT`: the caller's key, and whether it has the scope.

    allowed              Allow; the context identifies the caller
    above the rate       Allow with `retry_after`: a Deny can't become a 429, so `callmissed.web.caller` returns it
    scope, domain lock   Deny; the context has code, message and type for the ACCESS_DENIED response, 403
    no valid key         the error "Unauthorized", which API Gateway answers with 401
    anything else        another error: AUTHORIZER_FAILURE

https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-lambda-authorizer-output.html
Nothing is cached, here or in API Gateway: a revoked key is refused from its next call on.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from callmissed.clock import Micros
from callmissed.errors import ApiError
from callmissed.keys.admission import RateLimited
from callmissed.keys.authenticate import KeyAuthenticator
from callmissed.keys.credentials import Headers, check_domain, presented_secret
from callmissed.keys.records import KeyItem
from callmissed.money import NOTHING
from callmissed.platform.routes import ROUTES, Auth, Route

Policy = dict[str, Any]

_ROUTES = {(route.method, route.path): route for route in ROUTES if route.auth is Auth.ACCOUNT}


@dataclass(frozen=True, slots=True)
class AuthorizerRequest:
    """The request to authorize: its route, its headers, and the ARN for the policy."""

    route: Route
    headers: Headers
    arn: str


def request_of(event: Mapping[str, Any]) -> AuthorizerRequest:
    """The request of `event`. Raises LookupError for a route that has no authorizer."""
    method, path = event["httpMethod"], event["resource"]
    if (method, path) not in _ROUTES:
        raise LookupError(f"{method} {path} has no authorizer")
    repeated: Mapping[str, list[str]] = event.get("multiValueHeaders") or {}
    headers = [(name.lower(), value) for name, values in repeated.items() for value in values]
    return AuthorizerRequest(_ROUTES[method, path], headers, event["methodArn"])


async def authorize(request: AuthorizerRequest, authenticator: KeyAuthenticator, now: Micros) -> Policy:
    """The policy for `request` at `now`. One write.

    Raises ApiError 401, Unavailable when DynamoDB does not answer.
    """
    key, wait = await _caller(request.headers, authenticator, now)
    try:
        check_domain(key.domains, request.headers)
        _check_scope(key, request.route)
    except ApiError as refused:
        refusal = {"code": refused.code, "message": refused.message, "type": refused.type}
        return _policy(request.arn, "Deny", key, refusal)
    return _policy(request.arn, "Allow", key, _identity(key) | wait)


async def _caller(headers: Headers, authenticator: KeyAuthenticator, now: Micros) -> tuple[KeyItem, dict[str, str]]:
    """The caller's key, and how long it must wait. Raises ApiError 401, Unavailable.

    Any credential but an API key is refused. The token of a signed-in user would be recognised here.
    """
    secret = presented_secret(headers)
    try:
        return (await authenticator.admit(secret, NOTHING, now)).key, {}
    except RateLimited as limited:
        return limited.key, {"retry_after": limited.headers["Retry-After"]}


def _check_scope(key: KeyItem, route: Route) -> None:
    if route.scope and not {"*", route.scope} & key.scopes:
        message = f"API key missing required scope: {route.scope}. "
        remedy = "Add it under the key's 'Permissions' section in your dashboard."
        raise ApiError(403, "permission_denied", message + remedy)


def _identity(key: KeyItem) -> dict[str, str]:
    """The caller's context for functions; API Gateway passes strings only."""
    return {
        "tenant": key.tenant,
        "key_id": key.key_id,
        "mode": key.mode,
        "plan": key.plan,
        "scopes": ",".join(sorted(key.scopes)),
    }


def _policy(arn: str, effect: str, key: KeyItem, context: Mapping[str, str]) -> Policy:
    statement = {"Action": "execute-api:Invoke", "Effect": effect, "Resource": arn}
    return {
        "principalId": key.key_id,
        "policyDocument": {"Version": "2012-10-17", "Statement": [statement]},
        "context": dict(context),
    }
