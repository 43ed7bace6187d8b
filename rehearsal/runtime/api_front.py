"""The API of the template in front of the functions: its paths, its authorizer, and its right to call each function."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

from callmissed.errors import ApiError
from callmissed.platform.routes import Auth, Route
from local.api_gateway.authorizer import LambdaAuthorizer
from local.api_gateway.events import HttpRequest
from local.api_gateway.gateway import ApiGateway, Authorize, no_authorizer
from local.api_gateway.proxy_integration import ProxyIntegration
from local.api_gateway.sigv4 import verifier
from rehearsal.access.edges import authorizer_source, invoked_function, method_source
from rehearsal.access.policies import AccessRequest
from rehearsal.access.roles import Policies
from rehearsal.errors import UnsupportedError
from rehearsal.runtime.environments import ExecutionEnvironment
from rehearsal.runtime.web_adapter import WebEnvironment
from rehearsal.templates.plan import DeploymentPlan, PlannedResource

OPERATOR_SECRET = "of-the-rehearsal"  # noqa: S105  of engines that live for minutes
"""The secret access key of the stage's operator."""

_SERVICE = "apigateway.amazonaws.com"
_INTEGRATION = "x-amazon-apigateway-integration"
_AUTHORIZER = "x-amazon-apigateway-authorizer"


def create_front(plan: DeploymentPlan, policies: Policies, environments: Mapping[str, ExecutionEnvironment]) -> ASGIApp:
    """The gateway of the plan's only REST API; `environments` are by the ARN of the function's alias."""
    [api] = plan.of("AWS::ApiGateway::RestApi")
    [stage] = plan.of("AWS::ApiGateway::Stage")
    routes = list(_routes(api.properties["Body"]))
    guard = _CallGuard(api, stage.name, policies)
    apps = {arn: guard.app(arn, _integration(environments[arn])) for arn in {route.function for route in routes}}
    authorize = _authorize(api, guard, environments)
    return ApiGateway(apps, routes, authorize=authorize, verify_operator=verifier(OPERATOR_SECRET))


def _routes(body: Mapping[str, Any]) -> list[Route]:
    found: list[Route] = []
    schemes = body.get("components", {}).get("securitySchemes", {})
    for path, methods in body["paths"].items():
        for method, operation in methods.items():
            integration = operation[_INTEGRATION]
            if integration["type"] != "aws_proxy":
                raise UnsupportedError(f"{method} {path}: an integration of type {integration['type']}")
            auth = _auth(operation, schemes)
            streaming = integration.get("responseTransferMode") == "STREAM"
            function = invoked_function(integration["uri"])
            found.append(Route(method.upper(), path, function, auth, streaming=streaming))
    return found


def _auth(operation: Mapping[str, Any], schemes: Mapping[str, Any]) -> Auth:
    if not operation.get("security"):
        return Auth.PUBLIC
    (name,) = operation["security"][0]
    return Auth.OPERATOR if schemes[name]["x-amazon-apigateway-authtype"] == "awsSigv4" else Auth.ACCOUNT


def _integration(environment: ExecutionEnvironment) -> ASGIApp:
    return environment if isinstance(environment, WebEnvironment) else ProxyIntegration(environment.invoke)


def _authorize(
    api: PlannedResource, guard: "_CallGuard", environments: Mapping[str, ExecutionEnvironment]
) -> Authorize:
    schemes = api.properties["Body"].get("components", {}).get("securitySchemes", {}).values()
    for scheme in (scheme for scheme in schemes if _AUTHORIZER in scheme):
        arn = invoked_function(scheme[_AUTHORIZER]["authorizerUri"])
        environment = environments[arn]
        authorizer = LambdaAuthorizer(environment.invoke, environment.function.timeout_seconds)
        return guard.authorizer(arn, authorizer.authorize)
    return no_authorizer


class _CallGuard:
    """Refuses as API Gateway does where a function's policy does not let it call: with 500."""

    def __init__(self, api: PlannedResource, stage: str, policies: Policies) -> None:
        self._api = api
        self._stage = stage
        self._policies = policies

    def app(self, arn: str, inner: ASGIApp) -> ASGIApp:
        async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
            self._check(arn, method_source(self._api, self._stage, scope["method"], scope["resource"]))
            await inner(scope, receive, send)

        return guarded

    def authorizer(self, arn: str, inner: Callable[[HttpRequest], Awaitable[dict[str, str]]]) -> Authorize:
        async def guarded(request: HttpRequest) -> dict[str, str]:
            self._check(arn, authorizer_source(self._api))
            return await inner(request)

        return guarded

    def _check(self, arn: str, source: str) -> None:
        request = AccessRequest("lambda:InvokeFunction", arn, {"aws:SourceArn": source}, _SERVICE)
        if not self._policies.resource_allows(request):
            raise ApiError(500, "internal_error", f"API Gateway may not call {arn}.")
