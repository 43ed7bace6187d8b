"""The REQUEST authorizer: who calls a route with `Auth.ACCOUNT` or `Auth.SESSION`, and whether the route is for them.

    allowed                   Allow; the context identifies the caller
    above the rate, token expired, scope, domain lock, role, inactive tenant
                              Allow; the context has the refusal and no caller, and the function answers with it
                              (`callmissed.web.caller.refusal_of`): API Gateway's answer to a Deny can't have its code
    no valid credentials      the error "Unauthorized", which API Gateway answers with 401
    anything else             another error: AUTHORIZER_FAILURE

https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-lambda-authorizer-output.html
Nothing is cached, here or in API Gateway: a revoked key and an ended session are refused from their next call on.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from callmissed.clock import Micros
from callmissed.errors import ApiError, invalid_api_key
from callmissed.keys.admission import RateLimited
from callmissed.keys.authenticate import KeyAuthenticator
from callmissed.keys.credentials import Headers, bearer_token, check_domain, presented_secret
from callmissed.keys.records import KeyItem
from callmissed.money import NOTHING
from callmissed.platform.routes import ROUTES, Auth, Route

if TYPE_CHECKING:
    from callmissed.sessions.authenticate import PersonAuthenticator, SignedInPerson

Policy = dict[str, Any]
Context = Mapping[str, str]

_ROUTES = {(route.method, route.path): route for route in ROUTES if route.has_authorizer}


@dataclass(frozen=True, slots=True)
class Authenticators:
    """Finds callers: the key of a secret, and the person of an access token, which is made for the first person."""

    keys: KeyAuthenticator
    people: Callable[[], "PersonAuthenticator"]


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


async def authorize(request: AuthorizerRequest, authenticators: Authenticators, now: Micros) -> Policy:
    """The policy for `request` at `now`. One write for a key, one read for a person.

    Raises ApiError 401, Unavailable when DynamoDB does not answer.
    """
    if token := bearer_token(request.headers):
        return await _authorize_person(request, token, authenticators, now)
    if request.route.auth is Auth.SESSION:
        raise invalid_api_key()
    return await _authorize_key(request, authenticators, now)


async def _authorize_key(request: AuthorizerRequest, authenticators: Authenticators, now: Micros) -> Policy:
    secret = presented_secret(request.headers)
    limited: RateLimited | None = None
    try:
        key = (await authenticators.keys.admit(secret, NOTHING, now)).key
    except RateLimited as error:
        key, limited = error.key, error
    except ApiError as refused:
        if refused.status != 403:
            raise
        return _refused(request.arn, "inactive", refused)
    try:
        check_domain(key.domains, request.headers)
        _check_scope(key, request.route)
    except ApiError as refused:
        return _refused(request.arn, key.key_id, refused)
    return _refused(request.arn, key.key_id, limited) if limited else _allowed(request.arn, key.key_id, _of_key(key))


async def _authorize_person(
    request: AuthorizerRequest, token: str, authenticators: Authenticators, now: Micros
) -> Policy:
    from callmissed.sessions.authenticate import check_access  # imports PyJWT, which only people need

    try:
        principal = await authenticators.people().authenticate(token, now)
    except ApiError as refused:
        if refused.code != "token_expired":
            raise
        return _refused(request.arn, "expired", refused)
    try:
        check_access(principal, request.route)
    except ApiError as refused:
        return _refused(request.arn, principal.user.user_id, refused)
    return _allowed(request.arn, principal.user.user_id, _of_person(principal))


def _check_scope(key: KeyItem, route: Route) -> None:
    if route.scope and not {"*", route.scope} & key.scopes:
        message = f"API key missing required scope: {route.scope}. "
        remedy = "Add it under the key's 'Permissions' section in your dashboard."
        raise ApiError(403, "permission_denied", message + remedy)


def _of_key(key: KeyItem) -> Context:
    """The caller's context for functions; API Gateway passes strings only."""
    return {
        "tenant": key.tenant,
        "key_id": key.key_id,
        "mode": key.mode,
        "plan": key.plan,
        "scopes": ",".join(sorted(key.scopes)),
    }


def _of_person(principal: "SignedInPerson") -> Context:
    return {
        "tenant": principal.tenant.tenant_id,
        "user_id": principal.user.user_id,
        "session_id": principal.session_id,
        "role": str(principal.user.role),
        "plan": str(principal.tenant.plan),
    }


def _refused(arn: str, caller: str, refusal: ApiError) -> Policy:
    context = {"refused": str(refusal.status), "code": refusal.code, "message": refusal.message}
    wait = refusal.headers.get("Retry-After")
    return _allowed(arn, caller, context if wait is None else {**context, "retry_after": wait})


def _allowed(arn: str, caller: str, context: Context) -> Policy:
    statement = {"Action": "execute-api:Invoke", "Effect": "Allow", "Resource": arn}
    return {
        "principalId": caller,
        "policyDocument": {"Version": "2012-10-17", "Statement": [statement]},
        "context": dict(context),
    }
