"""The public API: one regional REST API built from the route table, and the functions behind it."""

import json
from typing import Any

from aws_cdk import CfnOutput, Stack
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_iam as iam
from constructs import Construct

from callmissed.platform.functions import AUTHORIZER, Function
from infra.config import StageConfig
from infra.constructs.checks import accept
from infra.constructs.firewall import rate_limited_by_address
from infra.constructs.logs import log_group
from infra.constructs.python_function import PythonFunction, StackContext, stack_context
from infra.constructs.removal import KEEP
from infra.constructs.streaming_function import streaming_entry
from infra.declarations import Declarations
from infra.openapi.document import IntegrationTarget, api_document
from infra.optional.bedrock_models import allow_models
from infra.optional.custom_domain import custom_domain
from infra.optional.snapshots import is_snapshotted


class ApiStack(Stack):
    """The REST API. Raises RouteTableError for routes that API Gateway could not serve."""

    def __init__(self, scope: Construct, config: StageConfig, declared: Declarations) -> None:
        super().__init__(
            scope,
            "api",
            stack_name=config.named("api"),
            env=config.environment,
            description="CallMissed: public API and the functions behind it",
        )
        context = stack_context(self, config, declared.served)
        functions = {function.name: _function(self, function, context) for function in declared.served}
        targets = {name: _target(self, function) for name, function in functions.items()}
        document = api_document(config.service, declared.routes, targets, targets[AUTHORIZER.name])
        api = _rest_api(self, config, document)
        for name in sorted({route.function for route in declared.routes}):
            _allow_calls(functions[name], api.arn_for_execute_api())
        _allow_calls(functions[AUTHORIZER.name], _authorizers_of(api))
        if config.firewall:
            rate_limited_by_address(api.deployment_stage, config, declared.routes)
        else:
            accept(api, "The operator has turned it off: docs/decisions/0015-idle-cost.md.", "AwsSolutions-APIG3")
        if domain := custom_domain(self, config):
            domain.add_base_path_mapping(api, stage=api.deployment_stage)
            CfnOutput(self, "DomainTarget", value=domain.domain_name_alias_domain_name)
        CfnOutput(self, "BaseUrl", value=api.url, description="Base of /v1 and /api/v1")


def _function(scope: Construct, declared: Function, context: StackContext) -> PythonFunction:
    entry = streaming_entry(scope) if declared.web_app else None
    snap_start = is_snapshotted(declared, context.config)
    function = PythonFunction(scope, declared, context, entry=entry, snap_start=snap_start)
    allow_models(function.role, declared, context.config)
    return function


def _target(stack: Stack, function: PythonFunction) -> IntegrationTarget:
    lambda_arn = f"arn:{stack.partition}:apigateway:{stack.region}:lambda:path"
    return IntegrationTarget(function.declared, function.alias.function_arn, lambda_arn)


def _rest_api(scope: Construct, config: StageConfig, document: dict[str, Any]) -> apigateway.SpecRestApi:
    regional = apigateway.EndpointType.REGIONAL
    api = apigateway.SpecRestApi(
        scope,
        "Api",
        rest_api_name=config.service,
        api_definition=apigateway.ApiDefinition.from_inline(document),
        # Resources that are no longer in the document are removed.
        mode=apigateway.RestApiMode.OVERWRITE,
        endpoint_configuration=apigateway.EndpointConfiguration(types=[regional]),
        # An import makes the API edge-optimised, whatever the property says, unless this parameter is set.
        parameters={"endpointConfigurationTypes": regional.value},
        cloud_watch_role=config.api_gateway_log_role,
        cloud_watch_role_removal_policy=KEEP,
        deploy_options=_stage_options(scope, config),
    )
    _accept_findings(api)
    return api


def _allow_calls(function: PythonFunction, source_arn: str) -> None:
    """Let API Gateway call `function` from `source_arn`: one permission, because a policy of many has no room."""
    principal = iam.ServicePrincipal("apigateway.amazonaws.com")
    function.alias.add_permission("Api", principal=principal, source_arn=source_arn)  # pyright: ignore[reportArgumentType]


def _authorizers_of(api: apigateway.SpecRestApi) -> str:
    """ARN of the API's authorizers. The document has one, but its id is unknown until it is imported."""
    return Stack.of(api).format_arn(service="execute-api", resource=api.rest_api_id, resource_name="authorizers/*")


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
    """One JSON line a request: no authorisation, no query string and no body, so no secret.

    Nor anything else that a caller or a function writes: API Gateway escapes no variable, so a quote in a `User-Agent`
    or in an error's message would break the line. Messages of errors are in API Gateway's own log, by request id.
    https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-variables-for-access-logging.html
    """
    field = apigateway.AccessLogField
    line = {
        "request_id": field.context_request_id(),
        "time": field.context_request_time(),
        "ip": field.context_identity_source_ip(),
        "method": field.context_http_method(),
        "route": field.context_resource_path(),
        "status": field.context_status(),
        "bytes": field.context_response_length(),
        "latency_ms": field.context_response_latency(),
        "gateway_error": field.context_error_response_type(),
        "integration_status": "$context.integration.integrationStatus",
        "integration_request_id": "$context.integration.requestId",
        "trace": field.context_xray_trace_id(),
    }
    return apigateway.AccessLogFormat.custom(json.dumps(line))


def _accept_findings(api: apigateway.SpecRestApi) -> None:
    accept(api, "The app checks bodies itself and answers in each dialect's envelope.", "AwsSolutions-APIG2")
    policy = "arn:<AWS::Partition>:iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs"
    accept(api, "API Gateway's documented role for writing its logs.", f"AwsSolutions-IAM4[Policy::{policy}]")
