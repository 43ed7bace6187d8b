"""Every declared function, as the templates have it."""

from typing import Any

import pytest

from callmissed.platform import names
from callmissed.platform.functions import FUNCTIONS, Function
from callmissed.platform.routes import ROUTES
from callmissed.platform.tables import TABLES
from tests.infra.assembly import Assembly, Resource

BY_NAME = {function.name: function for function in FUNCTIONS}
EACH = pytest.mark.parametrize("name", BY_NAME)


def found(assembly: Assembly, name: str) -> tuple[str, str, Resource]:
    """Stack, logical id and resource of one declared function."""
    wanted = names.function(assembly.config.stage, name)
    [match] = [
        entry
        for entry in assembly.resources("AWS::Lambda::Function")
        if entry[2]["Properties"]["FunctionName"] == wanted
    ]
    return match


def references(value: object, logical_id: str) -> bool:
    """Whether `value` refers to that resource of its own stack."""
    return value == {"Ref": logical_id} or value == {"Fn::GetAtt": [logical_id, "Arn"]}


def statements(assembly: Assembly, name: str) -> list[dict[str, Any]]:
    """Everything that the function's role may do."""
    stack, _, function = found(assembly, name)
    role = function["Properties"]["Role"]["Fn::GetAtt"][0]
    resources = assembly.templates[stack]["Resources"]
    assert "ManagedPolicyArns" not in resources[role]["Properties"]
    policies = [
        resource["Properties"]
        for resource in resources.values()
        if resource["Type"] == "AWS::IAM::Policy" and {"Ref": role} in resource["Properties"]["Roles"]
    ]
    assert all(policy["Roles"] == [{"Ref": role}] for policy in policies), "the role's policies are its own"
    return [statement for policy in policies for statement in policy["PolicyDocument"]["Statement"]]


def listed(value: object) -> list[Any]:
    """CloudFormation's one-or-many as a list."""
    return value if isinstance(value, list) else [value]


def allowed(assembly: Assembly, name: str, service: str) -> set[tuple[str, str]]:
    """Pairs of action and resource that the role allows on one service; the resource as text."""
    return {
        (action, str(resource))
        for statement in statements(assembly, name)
        for action in listed(statement["Action"])
        for resource in listed(statement["Resource"])
        if action.startswith(service)
    }


def table_exports(assembly: Assembly) -> dict[str, str]:
    """The text of a cross-stack reference to each table's ARN, by declared name."""
    tables = {
        logical_id: resource["Properties"]["TableName"].removeprefix(f"callmissed-{assembly.config.stage}-")
        for _, logical_id, resource in assembly.resources("AWS::DynamoDB::Table")
    }
    outputs = assembly.templates["data"]["Outputs"].values()
    return {
        tables[output["Value"]["Fn::GetAtt"][0]]: str({"Fn::ImportValue": output["Export"]["Name"]})
        for output in outputs
        if "Fn::GetAtt" in output["Value"] and output["Value"]["Fn::GetAtt"][0] in tables
    }


def test_nothing_runs_that_is_not_declared(assembly: Assembly) -> None:
    deployed = {properties["FunctionName"] for properties in assembly.properties("AWS::Lambda::Function")}
    assert deployed == {names.function(assembly.config.stage, function.name) for function in FUNCTIONS}


@EACH
def test_runs_python_3_13_on_arm64_as_declared(assembly: Assembly, name: str) -> None:
    properties = found(assembly, name)[2]["Properties"]
    declared = BY_NAME[name]
    assert properties["Architectures"] == ["arm64"]
    assert properties["Runtime"] == "python3.13"
    assert properties["MemorySize"] == declared.memory_mb
    assert properties["Timeout"] == declared.timeout_seconds
    assert properties["TracingConfig"] == {"Mode": "Active"}
    assert properties["Handler"] == (declared.handler or "run.sh")


@EACH
def test_is_published_as_live_and_old_versions_go(assembly: Assembly, name: str) -> None:
    stack, logical_id, _ = found(assembly, name)
    resources = assembly.templates[stack]["Resources"]
    [alias] = [
        resource["Properties"]
        for resource in resources.values()
        if resource["Type"] == "AWS::Lambda::Alias" and references(resource["Properties"]["FunctionName"], logical_id)
    ]
    assert alias["Name"] == "live"
    version = resources[alias["FunctionVersion"]["Fn::GetAtt"][0]]
    assert references(version["Properties"]["FunctionName"], logical_id)
    assert version["DeletionPolicy"] == "Delete"


@EACH
def test_snapshots_what_callers_wait_for(assembly: Assembly, name: str) -> None:
    answers = name in {route.function for route in ROUTES}
    expected = {"ApplyOn": "PublishedVersions"} if answers else None
    assert found(assembly, name)[2]["Properties"].get("SnapStart") == expected


@EACH
def test_keeps_its_own_logs_for_a_year_and_past_the_stack(assembly: Assembly, name: str) -> None:
    stack, _, function = found(assembly, name)
    group = function["Properties"]["LoggingConfig"]["LogGroup"]["Ref"]
    resource = assembly.templates[stack]["Resources"][group]
    assert resource["Properties"]["LogGroupName"].endswith(f"/{name}")
    assert resource["Properties"]["RetentionInDays"] == 365
    assert resource["DeletionPolicy"] == "Retain"


@EACH
def test_may_do_to_tables_what_is_declared_and_no_more(assembly: Assembly, name: str) -> None:
    exports = table_exports(assembly)
    declared = {(action, exports[table]) for table, actions in BY_NAME[name].tables.items() for action in actions}
    assert {table.name for table in TABLES} >= set(BY_NAME[name].tables)
    assert allowed(assembly, name, "dynamodb:") == declared


@EACH
def test_reads_secrets_and_providers_only_if_declared(assembly: Assembly, name: str) -> None:
    declared = BY_NAME[name]
    environment = found(assembly, name)[2]["Properties"]["Environment"]["Variables"]
    secrets = allowed(assembly, name, "secretsmanager:")
    assert {action for action, _ in secrets} <= {"secretsmanager:GetSecretValue"}
    assert len(secrets) == declared.reads_pepper + declared.reads_providers
    assert {action for action, _ in allowed(assembly, name, "ssm:")} == (
        {"ssm:GetParameter"} if declared.reads_providers else set()
    )
    assert ("CALLMISSED_PEPPER_SECRET_ARN" in environment) == declared.reads_pepper
    assert ("CALLMISSED_PROVIDERS_FILE" in environment) == declared.reads_providers
    assert ("CALLMISSED_PROVIDER_KEYS_SECRET_ARN" in environment) == declared.reads_providers


@EACH
def test_has_no_wildcard_but_for_sending_traces(assembly: Assembly, name: str) -> None:
    for statement in statements(assembly, name):
        actions = set(listed(statement["Action"]))
        assert not any("*" in action for action in actions)
        if any("*" in str(resource) for resource in listed(statement["Resource"])):
            assert actions == {"xray:PutTraceSegments", "xray:PutTelemetryRecords"}
        assert statement["Effect"] == "Allow"


@EACH
def test_knows_its_stage(assembly: Assembly, name: str) -> None:
    environment = found(assembly, name)[2]["Properties"]["Environment"]["Variables"]
    assert environment["CALLMISSED_STAGE"] == assembly.config.stage
    assert environment["POWERTOOLS_SERVICE_NAME"] == assembly.config.service


def web_apps() -> list[Function]:
    """Declared functions that run under the Web Adapter."""
    return [function for function in FUNCTIONS if function.web_app]


@pytest.mark.parametrize("name", [function.name for function in web_apps()])
def test_web_app_streams_through_the_adapter(assembly: Assembly, name: str) -> None:
    properties = found(assembly, name)[2]["Properties"]
    environment = properties["Environment"]["Variables"]
    assert "753240598075:layer:LambdaAdapterLayerArm64:30" in str(properties["Layers"][-1])
    assert environment["AWS_LAMBDA_EXEC_WRAPPER"] == "/opt/bootstrap"
    assert environment["AWS_LWA_INVOKE_MODE"] == "response_stream"
    assert environment["AWS_LWA_READINESS_CHECK_PATH"] == "/healthz"
    assert environment["AWS_LWA_SNAPSTART_BEFORE_CHECKPOINT_PATH"] == "/_snapstart/before"
    assert environment["AWS_LWA_SNAPSTART_AFTER_RESTORE_PATH"] == "/_snapstart/after"
