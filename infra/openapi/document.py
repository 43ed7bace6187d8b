"""The public API as one OpenAPI document with API Gateway's extensions, built from the route table.

https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-swagger-extensions.html
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from callmissed.platform.functions import Function
from callmissed.platform.routes import STREAM_TIMEOUT_SECONDS, Auth, Route
from infra.openapi.gateway_responses import gateway_responses

BUFFERED_TIMEOUT_SECONDS = 29
"""The longest time that API Gateway waits for a function that does not stream."""

MAX_API_RESOURCES = 300
"""API Gateway's quota of resources in a REST API, the root counted. AWS raises it on request."""

_AUTHORIZER = "authorizer"
_OPERATOR = "operator"
_SIGNED_BY_AWS = {
    "type": "apiKey",
    "name": "Authorization",
    "in": "header",
    "x-amazon-apigateway-authtype": "awsSigv4",
}
"""API Gateway checks the signature, and the signer's right to `execute-api:Invoke` the method."""

_PARAMETER = re.compile(r"\{(\w+)\+?\}")


class RouteTableError(ValueError):
    """A route table that API Gateway could not serve."""


@dataclass(frozen=True, slots=True)
class IntegrationTarget:
    """A function as API Gateway calls it.

    `alias_arn` is the ARN of its alias, and `lambda_arn` what comes before the API version in an integration's URI:
    `arn:aws:apigateway:ap-south-1:lambda:path`.
    """

    declared: Function
    alias_arn: str
    lambda_arn: str

    @property
    def streams(self) -> bool:
        """Whether the function answers in chunks, which only the Lambda Web Adapter does."""
        return self.declared.web_app is not None

    @property
    def uri(self) -> str:
        """The URI of an integration or authorizer."""
        if self.streams:
            return f"{self.lambda_arn}/2021-11-15/functions/{self.alias_arn}/response-streaming-invocations"
        return f"{self.lambda_arn}/2015-03-31/functions/{self.alias_arn}/invocations"


def api_document(
    title: str, routes: Sequence[Route], targets: Mapping[str, IntegrationTarget], authorizer: IntegrationTarget
) -> dict[str, Any]:
    """OpenAPI 3.0 document of `routes`, and of OPTIONS beside those that browsers call from other origins.

    `targets` are by the function's name. Raises RouteTableError.
    """
    operations = _with_preflights(routes)
    _refuse_repeated_operations(operations)
    _refuse_wrong_transfer_modes(routes, targets)
    _refuse_rival_parameters(routes)
    _refuse_too_many_resources(routes)
    paths: dict[str, dict[str, Any]] = {route.path: {} for route in operations}
    for route in operations:
        paths[route.path][route.method.lower()] = _operation(route, targets[route.function])
    return {
        "openapi": "3.0.1",
        "info": {"title": title, "version": "1"},
        "paths": paths,
        "components": {"securitySchemes": {_AUTHORIZER: _authorizer(authorizer), _OPERATOR: _SIGNED_BY_AWS}},
        # Bodies arrive byte for byte, and 4 MB of them fit into Lambda's 6 MB however many characters need escaping.
        "x-amazon-apigateway-binary-media-types": ["*/*"],
        "x-amazon-apigateway-gateway-responses": gateway_responses(),
    }


def api_resources(routes: Iterable[Route]) -> set[str]:
    """Paths of the resources that API Gateway makes of `routes`: one for each segment, the root not counted."""
    segments = [route.path.split("/")[1:] for route in routes]
    return {"/" + "/".join(parts[: depth + 1]) for parts in segments for depth in range(len(parts))}


def _with_preflights(routes: Sequence[Route]) -> list[Route]:
    preflights = {
        route.path: replace(route, method="OPTIONS", auth=Auth.PUBLIC) for route in routes if route.has_preflight
    }
    return [*preflights.values(), *routes]


def _refuse_repeated_operations(operations: Sequence[Route]) -> None:
    counts = Counter(f"{route.method} {route.path}" for route in operations)
    if repeated := [name for name, count in counts.items() if count > 1]:
        raise RouteTableError(f"declared more than once: {', '.join(repeated)}")


def _refuse_wrong_transfer_modes(routes: Sequence[Route], targets: Mapping[str, IntegrationTarget]) -> None:
    """Raise for a route whose mode is not its function's: API Gateway answers 502 on it, always."""
    for route in routes:
        if route.streaming != targets[route.function].streams:
            kind = "a web app and streams" if targets[route.function].streams else "a handler and does not stream"
            raise RouteTableError(
                f"{route.method} {route.path} has streaming={route.streaming}, but {route.function} is {kind}"
            )


def _refuse_rival_parameters(routes: Sequence[Route]) -> None:
    """Raise for `/x/{a}` beside `/x/{b}`: API Gateway allows one parameter below a resource."""
    parameters = sorted(path for path in api_resources(routes) if path.endswith("}"))
    parents = Counter(path.rpartition("/")[0] for path in parameters)
    if rivals := [path for path in parameters if parents[path.rpartition("/")[0]] > 1]:
        raise RouteTableError(f"several parameters in one place: {', '.join(rivals)}")


def _refuse_too_many_resources(routes: Sequence[Route]) -> None:
    count = len(api_resources(routes)) + 1
    if count > MAX_API_RESOURCES:
        raise RouteTableError(f"the routes need {count} resources, and API Gateway allows {MAX_API_RESOURCES}")


def _operation(route: Route, target: IntegrationTarget) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "responses": {"200": {"description": "The answer of the function."}},
        "x-amazon-apigateway-integration": _integration(target),
    }
    if names := _PARAMETER.findall(route.path):
        operation["parameters"] = [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names
        ]
    if route.has_authorizer:
        operation["security"] = [{_AUTHORIZER: []}]
    if route.auth is Auth.OPERATOR:
        operation["security"] = [{_OPERATOR: []}]
    return operation


def _integration(target: IntegrationTarget) -> dict[str, Any]:
    seconds = STREAM_TIMEOUT_SECONDS if target.streams else BUFFERED_TIMEOUT_SECONDS
    return {
        "type": "aws_proxy",
        "httpMethod": "POST",
        "uri": target.uri,
        "responseTransferMode": "STREAM" if target.streams else "BUFFERED",
        "timeoutInMillis": seconds * 1000,
    }


def _authorizer(target: IntegrationTarget) -> dict[str, Any]:
    """Security scheme of the authorizer, which is asked anew about every request: a revoked key is refused at once.

    It names no identity source, because a request that lacks one is refused unasked, and a key comes in either
    `Authorization` or `x-api-key`.
    """
    return {
        "type": "apiKey",
        "name": "Unused",
        "in": "header",
        "x-amazon-apigateway-authtype": "custom",
        "x-amazon-apigateway-authorizer": {
            "type": "request",
            "authorizerUri": target.uri,
            "authorizerResultTtlInSeconds": 0,
        },
    }
