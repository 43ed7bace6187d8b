"""The REQUEST authorizer of the routes that ask for `Auth.ACCOUNT`: who calls, and whether the key has the scope.

    allowed              Allow; the context says who calls
    above the rate       Allow with `retry_after`: API Gateway makes no 429 of a Deny, `callmissed.web.caller` does
    scope, domain lock   Deny; the context has code, message and type for the ACCESS_DENIED response, 403
    no key that works    the error "Unauthorized", of which API Gateway makes 401
    anything else        another error: AUTHORIZER_FAILURE

https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-lambda-authorizer-output.html
Nothing is cached, here or in API Gateway: a revoked key is refused from its next call on.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any

from callmissed.aws.database import Database
from callmissed.aws.dynamodb import DynamoDB
from callmissed.aws.runtime import run
from callmissed.aws.secrets import pepper_ring
from callmissed.clock import system_clock
from callmissed.errors import ApiError
from callmissed.keys.admission import Admission, RateLimited
from callmissed.keys.authenticate import KeyAuthenticator
from callmissed.keys.credentials import Headers, check_domain, presented_secret
from callmissed.keys.records import KeyItem
from callmissed.platform.routes import ROUTES, Auth, Route
from callmissed.settings import from_environment

Policy = dict[str, Any]

_ROUTES = {(route.method, route.path): route for route in ROUTES if route.auth is Auth.ACCOUNT}


def handler(event: dict[str, Any], _context: object) -> Policy:
    """The policy for one request. Raises Exception("Unauthorized") for 401, and others where nothing can be said."""
    try:
        return run(authorize(event, _ring(), system_clock()))
    except ApiError as refused:
        if refused.status != 401:
            raise
    raise Exception("Unauthorized")  # the text is API Gateway's protocol


async def authorize(event: Mapping[str, Any], ring: KeyAuthenticator, now: int) -> Policy:
    """The policy for the request of `event` at `now` (epoch microseconds). One write.

    Raises ApiError 401, Unavailable when DynamoDB does not answer, LookupError for a route that has no authorizer.
    """
    route, headers = _route(event), _headers(event)
    key, wait = await _caller(headers, ring, now)
    try:
        check_domain(key.domains, headers)
        _check_scope(key, route)
    except ApiError as refused:
        refusal = {"code": refused.code, "message": refused.message, "type": refused.type}
        return _policy(event, "Deny", key, refusal)
    return _policy(event, "Allow", key, _identity(key) | wait)


async def _caller(headers: Headers, ring: KeyAuthenticator, now: int) -> tuple[KeyItem, dict[str, str]]:
    """The caller's key, and how long it must wait. Raises ApiError 401, Unavailable.

    Whatever is not an API key is refused. This is where the token of a signed-in user would be told from one.
    """
    secret = presented_secret(headers)
    try:
        return (await ring.admit(secret, 0, now)).key, {}
    except RateLimited as limited:
        return limited.key, {"retry_after": limited.headers["Retry-After"]}


def _route(event: Mapping[str, Any]) -> Route:
    method, path = event["httpMethod"], event["resource"]
    if (method, path) not in _ROUTES:
        raise LookupError(f"{method} {path} has no authorizer")
    return _ROUTES[method, path]


def _headers(event: Mapping[str, Any]) -> Headers:
    repeated: Mapping[str, list[str]] = event.get("multiValueHeaders") or {}
    return [(name.lower(), value) for name, values in repeated.items() for value in values]


def _check_scope(key: KeyItem, route: Route) -> None:
    if route.scope and not {"*", route.scope} & key.scopes:
        message = f"API key missing required scope: {route.scope}. "
        remedy = "Add it under the key's 'Permissions' section in your dashboard."
        raise ApiError(403, "permission_denied", message + remedy)


def _identity(key: KeyItem) -> dict[str, str]:
    """What functions learn of the caller; API Gateway passes strings only."""
    return {
        "tenant": key.tenant,
        "key_id": key.key_id,
        "mode": key.mode,
        "plan": key.plan,
        "scopes": ",".join(sorted(key.scopes)),
    }


def _policy(event: Mapping[str, Any], effect: str, key: KeyItem, context: Mapping[str, str]) -> Policy:
    statement = {"Action": "execute-api:Invoke", "Effect": effect, "Resource": event["methodArn"]}
    return {
        "principalId": key.key_id,
        "policyDocument": {"Version": "2012-10-17", "Statement": [statement]},
        "context": dict(context),
    }


@cache
def _ring() -> KeyAuthenticator:
    """This process's memory of keys, with its connection and peppers. Raises ValueError without a pepper."""
    settings = from_environment()
    database = Database(DynamoDB(settings.region, settings.dynamodb_endpoint), settings.stage)
    return KeyAuthenticator(database, Admission(database), pepper_ring(settings))
