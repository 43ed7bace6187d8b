"""The web firewall: a limit on requests per address, against floods. Limits per key are the application's."""

from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_wafv2 as wafv2

from callmissed.platform.routes import REFUSAL_HEADERS
from infra.config import StageConfig
from infra.openapi.gateway_responses import refusal_body

_WINDOW_SECONDS = 60
_BODY = "too-many-requests"


def rate_limited_by_address(stage: apigateway.Stage, config: StageConfig) -> wafv2.CfnWebACL:
    """Put a web ACL before `stage` that answers 429 to an address above its requests per minute."""
    body = refusal_body(429, "rate_limit_exceeded", "Too many requests from this address.", request_id="")
    acl = wafv2.CfnWebACL(
        stage,
        "Firewall",
        name=config.named("api"),
        scope="REGIONAL",
        default_action=wafv2.CfnWebACL.DefaultActionProperty(allow={}),
        custom_response_bodies={
            _BODY: wafv2.CfnWebACL.CustomResponseBodyProperty(content=body, content_type="APPLICATION_JSON")
        },
        rules=[_rate_rule(config)],
        visibility_config=_visibility(config.named("api")),
    )
    wafv2.CfnWebACLAssociation(stage, "FirewallUse", resource_arn=stage.stage_arn, web_acl_arn=acl.attr_arn)
    return acl


def _rate_rule(config: StageConfig) -> wafv2.CfnWebACL.RuleProperty:
    headers = {"Retry-After": str(_WINDOW_SECONDS), **REFUSAL_HEADERS}
    refusal = wafv2.CfnWebACL.CustomResponseProperty(
        response_code=429,
        custom_response_body_key=_BODY,
        response_headers=[
            wafv2.CfnWebACL.CustomHTTPHeaderProperty(name=name, value=value) for name, value in headers.items()
        ],
    )
    limit = wafv2.CfnWebACL.RateBasedStatementProperty(
        limit=config.requests_per_minute_per_ip, aggregate_key_type="IP", evaluation_window_sec=_WINDOW_SECONDS
    )
    return wafv2.CfnWebACL.RuleProperty(
        name="requests-per-address",
        priority=0,
        action=wafv2.CfnWebACL.RuleActionProperty(block=wafv2.CfnWebACL.BlockActionProperty(custom_response=refusal)),
        statement=wafv2.CfnWebACL.StatementProperty(rate_based_statement=limit),
        visibility_config=_visibility("requests-per-address"),
    )


def _visibility(name: str) -> wafv2.CfnWebACL.VisibilityConfigProperty:
    return wafv2.CfnWebACL.VisibilityConfigProperty(
        cloud_watch_metrics_enabled=True, metric_name=name, sampled_requests_enabled=True
    )
