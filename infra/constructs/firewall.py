"""The web firewall: limits on requests per address. Limits per key are the application's.

One limit is against floods, on every path. A lower one is on the paths that people's browsers call below `/api/v1`:
there an address is a household or an office, and no key has a rate that it could break.
"""

from collections.abc import Collection

from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_wafv2 as wafv2

from callmissed.platform.routes import REFUSAL_HEADERS, Auth, Route
from infra.config import StageConfig
from infra.openapi.gateway_responses import refusal_body

_WINDOW_SECONDS = 60
_BODY = "too-many-requests"
_API = "/api/v1/"
_OF_PEOPLE = frozenset({Auth.PUBLIC, Auth.SESSION})
_PEOPLE_PER_MINUTE = 200

RateBased = wafv2.CfnWebACL.RateBasedStatementProperty


def rate_limited_by_address(stage: apigateway.Stage, config: StageConfig, routes: Collection[Route]) -> wafv2.CfnWebACL:
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
        rules=[
            _rate_rule(0, "requests-per-address", _flood(config)),
            _rate_rule(1, "requests-of-people-per-address", _people(routes)),
        ],
        visibility_config=_visibility(config.named("api")),
    )
    wafv2.CfnWebACLAssociation(stage, "FirewallUse", resource_arn=stage.stage_arn, web_acl_arn=acl.attr_arn)
    return acl


def _flood(config: StageConfig) -> RateBased:
    return RateBased(
        limit=config.requests_per_minute_per_ip, aggregate_key_type="IP", evaluation_window_sec=_WINDOW_SECONDS
    )


def _people(routes: Collection[Route]) -> RateBased:
    paths = wafv2.CfnWebACL.RegexMatchStatementProperty(
        regex_string=_pattern_of_people(routes),
        field_to_match=wafv2.CfnWebACL.FieldToMatchProperty(uri_path={}),
        text_transformations=[wafv2.CfnWebACL.TextTransformationProperty(priority=0, type="NONE")],
    )
    return RateBased(
        limit=_PEOPLE_PER_MINUTE,
        aggregate_key_type="IP",
        evaluation_window_sec=_WINDOW_SECONDS,
        scope_down_statement=wafv2.CfnWebACL.StatementProperty(regex_match_statement=paths),
    )


def _pattern_of_people(routes: Collection[Route]) -> str:
    """The paths of PUBLIC and SESSION routes below `/api/v1`, with and without the stage's name before them.

    A path counts by its first part where all routes with that part are of people, else as a whole.
    """
    of_others = {_first_part(route) for route in routes if route.auth not in _OF_PEOPLE}
    of_people = [route for route in routes if route.auth in _OF_PEOPLE and route.path.startswith(_API)]
    whole = {route.path.removeprefix(_API) for route in of_people if _first_part(route) in of_others}
    parts = {_first_part(route) for route in of_people} - of_others
    return f"^(?:/[^/]+)?{_API}(?:{'|'.join(sorted(parts | whole))})(?:/|$)"


def _first_part(route: Route) -> str:
    return route.path.removeprefix(_API).partition("/")[0] if route.path.startswith(_API) else ""


def _rate_rule(priority: int, name: str, limit: RateBased) -> wafv2.CfnWebACL.RuleProperty:
    headers = {"Retry-After": str(_WINDOW_SECONDS), **REFUSAL_HEADERS}
    refusal = wafv2.CfnWebACL.CustomResponseProperty(
        response_code=429,
        custom_response_body_key=_BODY,
        response_headers=[
            wafv2.CfnWebACL.CustomHTTPHeaderProperty(name=header, value=value) for header, value in headers.items()
        ],
    )
    return wafv2.CfnWebACL.RuleProperty(
        name=name,
        priority=priority,
        action=wafv2.CfnWebACL.RuleActionProperty(block=wafv2.CfnWebACL.BlockActionProperty(custom_response=refusal)),
        statement=wafv2.CfnWebACL.StatementProperty(rate_based_statement=limit),
        visibility_config=_visibility(name),
    )


def _visibility(name: str) -> wafv2.CfnWebACL.VisibilityConfigProperty:
    return wafv2.CfnWebACL.VisibilityConfigProperty(
        cloud_watch_metrics_enabled=True, metric_name=name, sampled_requests_enabled=True
    )
