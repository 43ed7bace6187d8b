"""The OpenAPI document of the REST API: valid, within the limits of AWS, and refused where API Gateway would fail."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

import pytest
from openapi_spec_validator import OpenAPIV30SpecValidator

from callmissed.platform.functions import AUTHORIZER, CALLBACKS_API, FUNCTIONS, INFERENCE, WEBHOOKS_API
from callmissed.platform.routes import ROUTES, Auth, Route
from infra.config import StageConfig
from infra.declarations import Declarations
from infra.openapi.document import IntegrationTarget, RouteTableError, api_document, api_resources
from tests.support.assembly import Assembly
from tests.support.route_tables import LARGE_TABLE

if TYPE_CHECKING:
    from aws_cdk import CfnResource

INTEGRATION = "x-amazon-apigateway-integration"
LAMBDA_ARN = "arn:aws:apigateway:ap-south-1:lambda:path"
TARGETS = {
    function.name: IntegrationTarget(function, f"arn:{function.name}:live", LAMBDA_ARN) for function in FUNCTIONS
}
MAX_TEMPLATE_BYTES = 1_000_000

BUFFERED_ROUTE_OF_A_WEB_APP = Route("GET", "/v1/wrong", INFERENCE.name, Auth.KEY)
STREAMING_ROUTE_OF_A_HANDLER = Route("GET", "/api/v1/wrong", WEBHOOKS_API.name, Auth.ACCOUNT, streaming=True)


def built(routes: Sequence[Route]) -> dict[str, Any]:
    """The document of `routes`."""
    return api_document("test", routes, TARGETS, TARGETS[AUTHORIZER.name])


def body(assembly: Assembly) -> dict[str, Any]:
    """The document in a template."""
    [api] = assembly.properties("AWS::ApiGateway::RestApi")
    return api["Body"]


def operations(document: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    """Path, method and operation of everything in `document`."""
    return [(path, method, found) for path, methods in document["paths"].items() for method, found in methods.items()]


def plain(document: dict[str, Any]) -> dict[str, Any]:
    """`document` with `{name}` for `{name+}`, which OpenAPI lacks."""
    return document | {"paths": {path.replace("+}", "}"): found for path, found in document["paths"].items()}}


def test_template_document_is_valid_openapi_3_0(assembly: Assembly) -> None:
    document = plain(body(assembly))
    assert document["openapi"].startswith("3.0.")
    assert [error.message for error in OpenAPIV30SpecValidator(document).iter_errors()] == []


def test_document_of_260_routes_is_valid_openapi_3_0() -> None:
    assert [error.message for error in OpenAPIV30SpecValidator(built(LARGE_TABLE)).iter_errors()] == []


def test_validator_would_find_a_parameter_that_is_not_declared() -> None:
    document = built([Route("GET", "/v1/things/{thing_id}", INFERENCE.name, Auth.KEY, streaming=True)])
    del document["paths"]["/v1/things/{thing_id}"]["get"]["parameters"]
    assert [error.message for error in OpenAPIV30SpecValidator(document).iter_errors()] != []


def test_import_removes_what_the_document_lacks(assembly: Assembly) -> None:
    [api] = assembly.properties("AWS::ApiGateway::RestApi")
    assert api["Mode"] == "overwrite"


def test_large_table_has_260_routes_of_every_function_that_has_routes() -> None:
    assert len({(route.method, route.path) for route in LARGE_TABLE}) == 260
    assert {route.function for route in LARGE_TABLE} == {route.function for route in ROUTES}
    assert {route.auth for route in LARGE_TABLE} == {Auth.KEY, Auth.ACCOUNT, Auth.SESSION, Auth.SIGNED}


def test_stacks_of_260_routes_are_within_the_limits_of_cloudformation(large_assembly: Assembly) -> None:
    resources = {name: len(template["Resources"]) for name, template in large_assembly.templates.items()}
    assert [name for name, count in resources.items() if count > 400] == []
    for name in resources:
        template = large_assembly.folder / f"{name}.template.json"
        assert template.stat().st_size <= MAX_TEMPLATE_BYTES, name


def test_template_of_260_routes_serves_all_of_them(large_assembly: Assembly) -> None:
    found = {(method.upper(), path) for path, method, _ in operations(body(large_assembly)) if method != "options"}
    assert found == {(route.method, route.path) for route in LARGE_TABLE}


def test_cdk_nag_has_no_findings_on_260_routes(large_assembly: Assembly) -> None:
    report = json.loads((large_assembly.folder / "validation-report.json").read_text())
    assert report["pluginReports"] == []


@pytest.mark.parametrize("routes", [ROUTES, LARGE_TABLE], ids=["product", "large"])
def test_api_resources_are_within_the_quota_of_api_gateway(routes: Sequence[Route]) -> None:
    assert len(api_resources(routes)) <= 250


def test_api_resources_are_the_segments_of_all_paths() -> None:
    routes = [Route("GET", path, INFERENCE.name, Auth.KEY, streaming=True) for path in ("/v1/a/{b}", "/v1/a", "/v1/c")]
    assert api_resources(routes) == {"/v1", "/v1/a", "/v1/a/{b}", "/v1/c"}


def test_routes_that_need_too_many_resources_are_refused() -> None:
    routes = [Route("GET", f"/v1/{n}", INFERENCE.name, Auth.KEY, streaming=True) for n in range(299)]
    assert len(built(routes[:298])["paths"]) == 298
    with pytest.raises(RouteTableError, match="301 resources"):
        built(routes)


@pytest.mark.parametrize("routes", [ROUTES, LARGE_TABLE], ids=["product", "large"])
def test_function_has_one_transfer_mode_which_is_that_of_its_kind(routes: Sequence[Route]) -> None:
    modes = {
        (found[INTEGRATION]["uri"], found[INTEGRATION]["responseTransferMode"])
        for _, _, found in operations(built(routes))
    }
    assert modes == {
        (TARGETS[name].uri, "STREAM" if TARGETS[name].declared.web_app else "BUFFERED")
        for name in {route.function for route in routes}
    }


@pytest.mark.parametrize("wrong", [BUFFERED_ROUTE_OF_A_WEB_APP, STREAMING_ROUTE_OF_A_HANDLER])
def test_route_in_a_mode_that_its_function_lacks_is_refused(wrong: Route) -> None:
    with pytest.raises(RouteTableError, match=f"GET {wrong.path} has streaming={wrong.streaming}"):
        built([*ROUTES, wrong])


def test_wrong_route_stops_a_synthesis() -> None:
    from aws_cdk import App

    from infra.app import build

    config = StageConfig(stage="test", bundle=False)
    with pytest.raises(RouteTableError, match="GET /v1/wrong"):
        build(App(), config, Declarations(routes=[*ROUTES, BUFFERED_ROUTE_OF_A_WEB_APP]))


def test_route_that_is_declared_twice_is_refused() -> None:
    with pytest.raises(RouteTableError, match="declared more than once: POST /v1/chat/completions"):
        built([*ROUTES, ROUTES[0]])


def test_preflight_that_is_declared_too_is_refused() -> None:
    declared = Route("OPTIONS", "/v1/models", INFERENCE.name, Auth.PUBLIC, streaming=True)
    with pytest.raises(RouteTableError, match="declared more than once: OPTIONS /v1/models"):
        built([*ROUTES, declared])


@pytest.mark.parametrize("rival", ["/api/v1/webhooks/{id}", "/api/v1/webhooks/{rest+}", "/api/v1/webhooks/{id}/logs"])
def test_second_parameter_below_a_resource_is_refused(rival: str) -> None:
    wrong = Route("PATCH", rival, WEBHOOKS_API.name, Auth.ACCOUNT)
    with pytest.raises(RouteTableError, match="several parameters in one place"):
        built([*ROUTES, wrong])


def test_rest_of_a_path_is_a_parameter_without_the_plus() -> None:
    [parameter] = built(ROUTES)["paths"]["/v1/models/{model_id+}"]["get"]["parameters"]
    assert parameter == {"name": "model_id", "in": "path", "required": True, "schema": {"type": "string"}}


@pytest.mark.parametrize("name", [INFERENCE.name, WEBHOOKS_API.name, CALLBACKS_API.name])
def test_integration_is_the_one_that_the_cdk_renders(assembly: Assembly, name: str) -> None:
    route = next(route for route in ROUTES if route.function == name)
    found = body(assembly)["paths"][route.path][route.method.lower()][INTEGRATION]
    [alias] = [part["Ref"] for part in found["uri"]["Fn::Join"][1] if isinstance(part, dict) and "Live" in part["Ref"]]
    rendered = cdk_integration(alias, streaming=TARGETS[name].streams)
    assert found == {
        "type": rendered.pop("Type").lower(),
        "httpMethod": rendered.pop("IntegrationHttpMethod"),
        "uri": rendered.pop("Uri"),
        "responseTransferMode": rendered.pop("ResponseTransferMode"),
        "timeoutInMillis": rendered.pop("TimeoutInMillis"),
    }
    assert rendered == {}


def cdk_integration(alias_id: str, *, streaming: bool) -> dict[str, Any]:
    """What the CDK's own construct says of a method whose function has the alias of that logical id."""
    from aws_cdk import App, Duration, Environment, Stack
    from aws_cdk import aws_apigateway as apigateway
    from aws_cdk import aws_lambda as lambda_

    app = App()
    stack = Stack(app, "reference", env=Environment(region="ap-south-1"))
    code = lambda_.Code.from_inline("pass")
    function = lambda_.Function(stack, "F", runtime=lambda_.Runtime.PYTHON_3_13, handler="index.handler", code=code)
    alias = lambda_.Alias(stack, "Alias", alias_name="live", version=function.current_version)  # pyright: ignore[reportArgumentType]
    cast("CfnResource", alias.node.default_child).override_logical_id(alias_id)
    mode = apigateway.ResponseTransferMode
    integration = apigateway.LambdaIntegration(
        alias,  # pyright: ignore[reportArgumentType]
        response_transfer_mode=mode.STREAM if streaming else mode.BUFFERED,
        timeout=Duration.minutes(15) if streaming else Duration.seconds(29),
        scope_permission_to_method=False,
    )
    apigateway.RestApi(stack, "Api").root.add_method("GET", integration)
    resources = app.synth().get_stack_by_name("reference").template["Resources"].values()
    [method] = [found["Properties"] for found in resources if found["Type"] == "AWS::ApiGateway::Method"]
    return method["Integration"]
