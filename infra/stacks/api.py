"""The public API: one regional REST API built from the route table, and the functions behind it."""

import json
from typing import cast

from aws_cdk import CfnOutput, CfnResource, Duration, Stack
from aws_cdk import aws_apigateway as apigateway
from constructs import Construct

from callmissed.platform.functions import AUTHORIZER, FUNCTIONS, Function
from callmissed.platform.routes import ROUTES, STREAM_TIMEOUT_SECONDS, Auth, Route
from infra.config import StageConfig
from infra.constructs.channels import Channels
from infra.constructs.checks import accept
from infra.constructs.firewall import rate_limited_by_address
from infra.constructs.gateway_responses import add_gateway_responses
from infra.constructs.logs import log_group
from infra.constructs.python_function import PythonFunction, Setting, setting
from infra.constructs.stores import Stores
from infra.constructs.streaming_function import streaming_entry

_BEHIND_ROUTES = {route.function for route in ROUTES}
SERVED = tuple(function for function in FUNCTIONS if function.name in {*_BEHIND_ROUTES, AUTHORIZER.name})


class ApiStack(Stack):
    """`api`, and `functions` by name."""

    def __init__(self, scope: Construct, config: StageConfig, stores: Stores, channels: Channels) -> None:
        super().__init__(
            scope,
            "api",
            stack_name=config.named("api"),
            env=config.environment,
            description="CallMissed: public API and the functions behind it",
        )
        shared = setting(self, config, stores, channels, SERVED)
        self.functions = {function.name: _function(self, function, shared) for function in SERVED}
        self.api = _rest_api(self, config)
        add_routes(self.api, self.functions)
        add_gateway_responses(self.api)
        rate_limited_by_address(self.api.deployment_stage, config)
        CfnOutput(self, "BaseUrl", value=self.api.url, description="Base of /v1 and /api/v1")


def _function(scope: Construct, declared: Function, shared: Setting) -> PythonFunction:
    entry = streaming_entry(scope) if declared.web_app else None
    return PythonFunction(scope, declared, shared, entry=entry, snap_start=shared.config.snap_start)


def _rest_api(scope: Construct, config: StageConfig) -> apigateway.RestApi:
    api = apigateway.RestApi(
        scope,
        "Api",
        rest_api_name=config.service,
        endpoint_configuration=apigateway.EndpointConfiguration(types=[apigateway.EndpointType.REGIONAL]),
        # Bodies arrive byte for byte, and 4 MB of them fit into Lambda's 6 MB however many characters need escaping.
        binary_media_types=["*/*"],
        cloud_watch_role=config.api_gateway_log_role,
        deploy_options=_stage_options(scope, config),
    )
    _accept_findings(api)
    return api


def _stage_options(scope: Construct, config: StageConfig) -> apigateway.StageOptions:
    access_log = log_group(scope, config, "api-access")
    return apigateway.StageOptions(
        stage_name=config.stage,
        access_log_destination=apigateway.LogGroupLogDestination(access_log),
        access_log_format=_access_log_format(),
        logging_level=apigateway.MethodLoggingLevel.ERROR,
        throttling_rate_limit=config.requests_per_second,
        throttling_burst_limit=config.burst,
        tracing_enabled=True,
    )


def _access_log_format() -> apigateway.AccessLogFormat:
    """One JSON line a request: no authorisation, no query string and no body, so no secret."""
    field = apigateway.AccessLogField
    line = {
        "request_id": field.context_request_id(),
        "time": field.context_request_time(),
        "ip": field.context_identity_source_ip(),
        "user_agent": field.context_identity_user_agent(),
        "method": field.context_http_method(),
        "route": field.context_resource_path(),
        "status": field.context_status(),
        "bytes": field.context_response_length(),
        "latency_ms": field.context_response_latency(),
        "gateway_error": field.context_error_response_type(),
        "integration_error": field.context_integration_error_message(),
        "trace": field.context_xray_trace_id(),
    }
    return apigateway.AccessLogFormat.custom(json.dumps(line))


def add_routes(api: apigateway.RestApi, functions: dict[str, PythonFunction]) -> None:
    """Give `api` every declared route, and OPTIONS beside those that browsers may call from elsewhere."""
    integrations = {route.function: _integration(route, functions[route.function]) for route in ROUTES}
    authorizer = _authorizer(api, functions[AUTHORIZER.name])
    for path, function in {route.path: route.function for route in ROUTES if route.has_preflight}.items():
        api.root.resource_for_path(path).add_method("OPTIONS", integrations[function])
    for route in ROUTES:
        admits = authorizer if route.auth is Auth.ACCOUNT else None
        api.root.resource_for_path(route.path).add_method(route.method, integrations[route.function], authorizer=admits)


def _authorizer(api: apigateway.RestApi, function: PythonFunction) -> apigateway.RequestAuthorizer:
    """Asked anew about every request: a revoked key is refused on its next call.

    It names no identity source, because a request that lacks one is refused unasked, and a key comes in either
    `Authorization` or `x-api-key`.
    """
    authorizer = apigateway.RequestAuthorizer(
        api,
        "Authorizer",
        handler=function.alias,  # pyright: ignore[reportArgumentType]
        identity_sources=[],
        results_cache_ttl=Duration.seconds(0),
    )
    cast(CfnResource, authorizer.node.default_child).add_property_deletion_override("IdentitySource")
    return authorizer


def _integration(route: Route, function: PythonFunction) -> apigateway.LambdaIntegration:
    mode = apigateway.ResponseTransferMode
    return apigateway.LambdaIntegration(
        function.alias,  # pyright: ignore[reportArgumentType]
        response_transfer_mode=mode.STREAM if route.streaming else mode.BUFFERED,
        timeout=Duration.seconds(STREAM_TIMEOUT_SECONDS if route.streaming else 29),
        # One permission for the whole API: one for each method would outgrow the function's policy.
        scope_permission_to_method=False,
    )


def _accept_findings(api: apigateway.RestApi) -> None:
    accept(
        api,
        "The authorizer admits to account routes. Behind the others, the function itself does: one conditional write "
        "authenticates, limits and budgets a call at once, and a provider's signature covers the body.",
        "AwsSolutions-APIG4",
        "AwsSolutions-COG4",
    )
    accept(api, "The app checks bodies itself and answers in each dialect's envelope.", "AwsSolutions-APIG2")
    policy = "arn:<AWS::Partition>:iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs"
    accept(api, "API Gateway's documented role for writing its logs.", f"AwsSolutions-IAM4[Policy::{policy}]")
