"""The REQUEST authorizer: who calls a route with `Auth.ACCOUNT` or `Auth.SESSION`, and whether the route is for them.

    allowed                   Allow; the context identifies the caller
    above the rate            Allow with `retry_after`: a Deny can't become a 429, so `callmissed.web.caller` returns it
    token expired             Allow with `refused` and no caller: neither can a Deny become a 401 with a code of its own
    scope, domain lock, role, inactive tenant
                              Deny; the context has code, message and type for the ACCESS_DENIED response, 403
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
    wait: Context = {}
    try:
        key = (await authenticators.keys.admit(secret, NOTHING, now)).key
    except RateLimited as limited:
        key, wait = limited.key, {"retry_after": limited.headers["Retry-After"]}
    except ApiError as refused:
        if refused.status != 403:
            raise
        return _denied(request.arn, "inactive", refused)
    try:
        check_domain(key.domains, request.headers)
        _check_scope(key, request.route)
    except ApiError as refused:
        return _denied(request.arn, key.key_id, refused)
    return _policy(request.arn, "Allow", key.key_id, {**_key_context(key), **wait})


async def _authorize_person(
    request: AuthorizerRequest, token: str, authenticators: Authenticators, now: Micros
) -> Policy:
    from callmissed.sessions.authenticate import check_access  # imports PyJWT, which only people need

    try:
        principal = await authenticators.people().authenticate(token, now)
    except ApiError as refused:
        if refused.code != "token_expired":
            raise
        return _policy(request.arn, "Allow", "expired", {"refused": refused.code, "message": refused.message})
    try:
        check_access(principal, request.route)
    except ApiError as refused:
        return _denied(request.arn, principal.user.user_id, refused)
    return _policy(request.arn, "Allow", principal.user.user_id, _person_context(principal))


def _check_scope(key: KeyItem, route: Route) -> None:
    if route.scope and not {"*", route.scope} & key.scopes:
        message = f"API key missing required scope: {route.scope}. "
        remedy = "Add it under the key's 'Permissions' section in your dashboard."
        raise ApiError(403, "permission_denied", message + remedy)


def _key_context(key: KeyItem) -> Context:
    """The caller's context for functions; API Gateway passes strings only."""
    return {
        "tenant": key.tenant,
        "key_id": key.key_id,
        "mode": key.mode,
        "plan": key.plan,
        "scopes": ",".join(sorted(key.scopes)),
    }


def _person_context(principal: "SignedInPerson") -> Context:
    return {
        "tenant": principal.tenant.tenant_id,
        "user_id": principal.user.user_id,
        "session_id": principal.session_id,
        "role": str(principal.user.role),
        "plan": str(principal.tenant.plan),
    }


def _denied(arn: str, caller: str, refused: ApiError) -> Policy:
    refusal = {"code": refused.code, "message": refused.message, "type": refused.type}
    return _policy(arn, "Deny", caller, refusal)


def _policy(arn: str, effect: str, caller: str, context: Context) -> Policy:
    statement = {"Action": "execute-api:Invoke", "Effect": effect, "Resource": arn}
    return {
        "principalId": caller,
        "policyDocument": {"Version": "2012-10-17", "Statement": [statement]},
        "context": dict(context),
    }
