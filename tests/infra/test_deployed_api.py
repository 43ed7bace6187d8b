"""The REST API, method for method, against the route table."""

import json
import re
from typing import Any

import pytest

from callmissed.platform.functions import AUTHORIZER, FUNCTIONS
from callmissed.platform.routes import ROUTES, Auth, Route
from tests.support.assembly import Assembly

INTEGRATION = "x-amazon-apigateway-integration"


def document(assembly: Assembly) -> dict[str, Any]:
    """The OpenAPI document that the API is imported from."""
    [api] = assembly.properties("AWS::ApiGateway::RestApi")
    return api["Body"]


def methods(assembly: Assembly) -> dict[tuple[str, str], dict[str, Any]]:
    """Every operation of the API, by verb and path."""
    paths = document(assembly)["paths"]
    return {(verb.upper(), path): found for path, verbs in paths.items() for verb, found in verbs.items()}


def alias_of(assembly: Assembly, function: str) -> str:
    """Logical id of a function's alias, as an integration's URI refers to it."""
    stage_name = f"callmissed-{assembly.config.stage}-{function}"
    resources = assembly.templates["api"]["Resources"]
    [logical_id] = [
        alias
        for alias, resource in resources.items()
        if resource["Type"] == "AWS::Lambda::Alias"
        and resources[resource["Properties"]["FunctionName"]["Ref"]]["Properties"]["FunctionName"] == stage_name
    ]
    return logical_id


def test_api_has_the_declared_routes_and_no_others(assembly: Assembly) -> None:
    found = {(verb, path) for verb, path in methods(assembly) if verb != "OPTIONS"}
    assert found == {(route.method, route.path) for route in ROUTES}


def test_api_has_preflights_where_the_inference_app_answers_them(assembly: Assembly) -> None:
    found = {path for verb, path in methods(assembly) if verb == "OPTIONS"}
    assert found == {route.path for route in ROUTES if route.function == "inference"}
    assert not found & {route.path for route in ROUTES if route.auth in (Auth.ACCOUNT, Auth.SIGNED)}


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_route_reaches_its_function_in_its_transfer_mode(assembly: Assembly, route: Route) -> None:
    deployed = methods(assembly)
    for integration in [deployed[key][INTEGRATION] for key in served(route) if key in deployed]:
        assert integration["type"] == "aws_proxy"
        assert integration["httpMethod"] == "POST"
        assert integration["responseTransferMode"] == ("STREAM" if route.streaming else "BUFFERED")
        assert integration["timeoutInMillis"] == (900_000 if route.streaming else 29_000)
        assert {"Ref": alias_of(assembly, route.function)} in integration["uri"]["Fn::Join"][1]


def served(route: Route) -> tuple[tuple[str, str], ...]:
    """The route, and the preflight that it may have."""
    return (route.method, route.path), ("OPTIONS", route.path)


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_authorizer_and_signature_stand_before_their_routes_only(assembly: Assembly, route: Route) -> None:
    asked = [{"authorizer": []}] if route.has_authorizer else None
    if route.auth is Auth.OPERATOR:
        asked = [{"operator": []}]
    assert methods(assembly)[route.method, route.path].get("security") == asked
    assert "security" not in document(assembly), "it would hold for every route"


def test_operators_sign_with_credentials_of_aws(assembly: Assembly) -> None:
    """https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-swagger-extensions-authtype.html"""
    scheme = document(assembly)["components"]["securitySchemes"]["operator"]
    assert scheme == {
        "type": "apiKey",
        "name": "Authorization",
        "in": "header",
        "x-amazon-apigateway-authtype": "awsSigv4",
    }


def test_preflights_need_no_key(assembly: Assembly) -> None:
    preflights = [method for (verb, _), method in methods(assembly).items() if verb == "OPTIONS"]
    assert preflights
    assert [method for method in preflights if "security" in method] == []


def test_authorizer_is_asked_about_every_request_whatever_its_headers(assembly: Assembly) -> None:
    scheme = document(assembly)["components"]["securitySchemes"]["authorizer"]
    assert scheme["x-amazon-apigateway-authtype"] == "custom", "an apiKey without it is one of API Gateway's own keys"
    authorizer = scheme["x-amazon-apigateway-authorizer"]
    assert authorizer["type"] == "request"
    assert authorizer["authorizerResultTtlInSeconds"] == 0
    assert "identitySource" not in authorizer
    assert {"Ref": alias_of(assembly, AUTHORIZER.name)} in authorizer["authorizerUri"]["Fn::Join"][1]
    assert AUTHORIZER.timeout_seconds <= 10, "API Gateway waits no longer"


def test_streaming_routes_belong_to_web_apps() -> None:
    web_apps = {function.name for function in FUNCTIONS if function.web_app}
    assert {route.function for route in ROUTES if route.streaming} <= web_apps
    assert not {route.function for route in ROUTES if not route.streaming} & web_apps


def test_api_is_regional_and_passes_bodies_byte_for_byte(assembly: Assembly) -> None:
    [api] = assembly.properties("AWS::ApiGateway::RestApi")
    assert api["EndpointConfiguration"] == {"Types": ["REGIONAL"]}
    assert api["Parameters"] == {"endpointConfigurationTypes": "REGIONAL"}
    assert document(assembly)["x-amazon-apigateway-binary-media-types"] == ["*/*"]


def test_only_this_api_may_invoke(assembly: Assembly) -> None:
    permissions = assembly.properties("AWS::Lambda::Permission")
    called = {AUTHORIZER.name, *(route.function for route in ROUTES)}
    assert {permission["FunctionName"]["Ref"] for permission in permissions} == {
        alias_of(assembly, function) for function in called
    }
    assert len(permissions) == len(called)
    [(_, api, _)] = assembly.resources("AWS::ApiGateway::RestApi")
    for permission in permissions:
        assert permission["Principal"] == "apigateway.amazonaws.com"
        assert permission["Action"] == "lambda:InvokeFunction"
        authorizes = permission["FunctionName"] == {"Ref": alias_of(assembly, AUTHORIZER.name)}
        assert permission["SourceArn"]["Fn::Join"][1][-2:] == [
            {"Ref": api},
            "/authorizers/*" if authorizes else "/*/*/*",
        ]


def test_stage_throttles_traces_and_logs(assembly: Assembly) -> None:
    [stage] = assembly.properties("AWS::ApiGateway::Stage")
    [settings] = stage["MethodSettings"]
    assert stage["TracingEnabled"] is True
    assert settings["ThrottlingRateLimit"] == assembly.config.requests_per_second
    assert settings["ThrottlingBurstLimit"] == assembly.config.burst
    assert settings["DataTraceEnabled"] is False
    line = stage["AccessLogSetting"]["Format"]
    assert json.loads(line)["request_id"] == "$context.requestId"
    assert "authori" not in line.lower()


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [
        ("UNAUTHORIZED", "401", "invalid_api_key"),
        ("ACCESS_DENIED", "403", "permission_denied"),
        ("AUTHORIZER_FAILURE", "503", "service_unavailable"),
        ("AUTHORIZER_CONFIGURATION_ERROR", "503", "service_unavailable"),
        ("WAF_FILTERED", "403", "permission_denied"),
        ("MISSING_AUTHENTICATION_TOKEN", "404", "not_found"),
        ("RESOURCE_NOT_FOUND", "404", "not_found"),
        ("REQUEST_TOO_LARGE", "413", "file_too_large"),
        ("THROTTLED", "429", "rate_limit_exceeded"),
        ("QUOTA_EXCEEDED", "429", "quota_exceeded"),
        ("INTEGRATION_FAILURE", "503", "service_unavailable"),
        ("INTEGRATION_TIMEOUT", "503", "service_unavailable"),
        ("DEFAULT_4XX", None, "invalid_request_error"),
        ("DEFAULT_5XX", None, "internal_error"),
    ],
)
def test_gateway_refuses_in_the_platform_envelope(assembly: Assembly, kind: str, status: str | None, code: str) -> None:
    response = gateway_response(assembly, kind)
    body = json.loads(response["responseTemplates"]["application/json"])
    assert response.get("statusCode") == status
    assert set(body["error"]) == {"code", "message", "type", "request_id"}
    assert body["error"]["code"] == code
    assert body["error"]["request_id"] == "$context.requestId"
    assert response["responseParameters"]["gatewayresponse.header.X-Request-Id"] == "context.requestId"


def gateway_response(assembly: Assembly, kind: str) -> dict[str, Any]:
    """What API Gateway says in one case."""
    return document(assembly)["x-amazon-apigateway-gateway-responses"][kind]


def test_responses_need_no_variable_that_may_be_missing_nor_a_template_engine(assembly: Assembly) -> None:
    """API Gateway only replaces variables here. IAM's refusal is ACCESS_DENIED too, without an authorizer's context."""
    for kind, response in document(assembly)["x-amazon-apigateway-gateway-responses"].items():
        template = response["responseTemplates"]["application/json"]
        assert re.findall(r"[$#][\w.{]+", template) == ["$context.requestId"], kind
        rendered = json.loads(template.replace("$context.requestId", "req-1"))["error"]
        assert rendered["request_id"] == "req-1" and all(rendered.values()), kind
    denied = json.loads(gateway_response(assembly, "ACCESS_DENIED")["responseTemplates"]["application/json"])["error"]
    assert (denied["code"], denied["type"]) == ("permission_denied", "permission_error")


@pytest.mark.parametrize(
    "kind", ["AUTHORIZER_FAILURE", "AUTHORIZER_CONFIGURATION_ERROR", "INTEGRATION_FAILURE", "INTEGRATION_TIMEOUT"]
)
def test_refusals_for_throttling_have_retry_after(assembly: Assembly, kind: str) -> None:
    parameters = gateway_response(assembly, kind)["responseParameters"]
    assert parameters["gatewayresponse.header.Retry-After"] == "'1'"


def test_page_of_any_origin_can_read_why_it_was_refused(assembly: Assembly) -> None:
    for kind, response in document(assembly)["x-amazon-apigateway-gateway-responses"].items():
        headers = response["responseParameters"]
        assert headers["gatewayresponse.header.Access-Control-Allow-Origin"] == "'*'", kind
        assert headers["gatewayresponse.header.Access-Control-Expose-Headers"] == "'Retry-After,X-Request-Id'"
        assert "gatewayresponse.header.Access-Control-Allow-Credentials" not in headers
    [acl] = assembly.properties("AWS::WAFv2::WebACL")
    for rule in acl["Rules"]:
        refusal = rule["Action"]["Block"]["CustomResponse"]["ResponseHeaders"]
        assert {"Name": "Access-Control-Allow-Origin", "Value": "*"} in refusal


def test_access_log_has_no_text_of_a_caller(assembly: Assembly) -> None:
    """API Gateway puts variables into the line as they are, so a quote in one would end the JSON there."""
    [stage] = assembly.properties("AWS::ApiGateway::Stage")
    variables = set(json.loads(stage["AccessLogSetting"]["Format"]).values())
    assert variables == {
        "$context.requestId",
        "$context.requestTime",
        "$context.identity.sourceIp",
        "$context.httpMethod",
        "$context.resourcePath",
        "$context.status",
        "$context.responseLength",
        "$context.responseLatency",
        "$context.error.responseType",
        "$context.integration.integrationStatus",
        "$context.integration.requestId",
        "$context.xrayTraceId",
    }


def test_firewall_limits_each_address(assembly: Assembly) -> None:
    [acl] = assembly.properties("AWS::WAFv2::WebACL")
    [association] = assembly.properties("AWS::WAFv2::WebACLAssociation")
    rule, _ = acl["Rules"]
    limit = rule["Statement"]["RateBasedStatement"]
    assert limit == {
        "AggregateKeyType": "IP",
        "EvaluationWindowSec": 60,
        "Limit": assembly.config.requests_per_minute_per_ip,
    }
    refusal = rule["Action"]["Block"]["CustomResponse"]
    assert refusal["ResponseCode"] == 429
    body = json.loads(acl["CustomResponseBodies"][refusal["CustomResponseBodyKey"]]["Content"])
    assert body["error"]["code"] == "rate_limit_exceeded"
    assert "/stages/" in str(association["ResourceArn"])


def test_firewall_limits_each_address_on_the_paths_of_people_and_no_others(assembly: Assembly) -> None:
    """A key has a rate of its own, which may be above 200 a minute."""
    [acl] = assembly.properties("AWS::WAFv2::WebACL")
    _, rule = acl["Rules"]
    limit = rule["Statement"]["RateBasedStatement"]
    pattern = limit["ScopeDownStatement"]["RegexMatchStatement"]

    found = {
        (route.method, route.path)
        for route in ROUTES
        for stage in ("", "/prod")  # the URL of the stage has its name in the path, that of a domain has not
        if re.search(pattern["RegexString"], stage + route.path.replace("{", "").replace("}", ""))
    }

    assert found == {
        (route.method, route.path)
        for route in ROUTES
        if route.auth in (Auth.PUBLIC, Auth.SESSION) and route.path.startswith("/api/v1/")
    }
    assert (limit["Limit"], limit["EvaluationWindowSec"], limit["AggregateKeyType"]) == (200, 60, "IP")
    assert pattern["FieldToMatch"] == {"UriPath": {}}
    assert len(pattern["RegexString"]) <= 512, "AWS WAF takes no longer one"
