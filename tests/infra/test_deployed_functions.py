"""Every declared function, as the templates have it."""

from typing import Any

import pytest

from callmissed.platform.functions import FUNCTIONS, SCHEDULES, Function
from callmissed.platform.queues import QUEUES, physical_queue_name
from callmissed.platform.resources import PROVIDERS_FILE, RESOURCES, ResourceKind
from callmissed.platform.resources import Resource as Declared
from callmissed.platform.tables import DELIVERIES, FILES, TABLES, physical_name
from tests.support.assembly import Assembly, Resource

BY_NAME = {function.name: function for function in FUNCTIONS}
READ_STREAM = ("DescribeStream", "GetRecords", "GetShardIterator", "ListStreams")
RECEIVE = ("ReceiveMessage", "DeleteMessage", "GetQueueAttributes")
EACH = pytest.mark.parametrize("name", BY_NAME)


def found(assembly: Assembly, name: str) -> tuple[str, str, Resource]:
    """Stack, logical id and resource of one declared function."""
    wanted = BY_NAME[name].physical_name(assembly.config.stage)
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
    """Pairs of action and resource that the role allows on one service; the resource as the assembly's text."""
    stack, _, _ = found(assembly, name)
    return {
        (action, assembly.text(stack, resource))
        for statement in statements(assembly, name)
        for action in listed(statement["Action"])
        for resource in listed(statement["Resource"])
        if action.startswith(service)
    }


def on_tables(stage: str, function: Function) -> set[tuple[str, str]]:
    """What the declarations say that the function does to tables, their indexes and their streams."""
    declared = {table.name: table for table in TABLES}
    pairs: set[tuple[str, str]] = set()
    for name, actions in function.tables.items():
        table = physical_name(stage, declared[name])
        pairs |= {(action, table) for action in actions}
    for name, actions in function.indexes.items():
        indexes = declared[name].indexes
        assert indexes and set(actions) <= {"dynamodb:Query", "dynamodb:Scan"}, "writing goes through the table"
        here = f"{physical_name(stage, declared[name])}/index"
        pairs |= {(action, f"{here}/{index.name}") for action in actions for index in indexes}
    if function.follows:
        stream = f"{physical_name(stage, declared[function.follows])}.StreamArn"
        pairs |= {(f"dynamodb:{action}", stream) for action in READ_STREAM}
    return pairs


def test_template_has_no_function_that_is_not_declared(assembly: Assembly) -> None:
    deployed = {properties["FunctionName"] for properties in assembly.properties("AWS::Lambda::Function")}
    assert deployed == {function.physical_name(assembly.config.stage) for function in FUNCTIONS}


@EACH
def test_function_runs_python_3_13_on_arm64_as_declared(assembly: Assembly, name: str) -> None:
    properties = found(assembly, name)[2]["Properties"]
    declared = BY_NAME[name]
    assert properties["Architectures"] == ["arm64"]
    assert properties["Runtime"] == "python3.13"
    assert properties["MemorySize"] == declared.memory_mb
    assert properties["Timeout"] == declared.timeout_seconds
    by_the_clock = name in {schedule.function for schedule in SCHEDULES}
    assert properties.get("TracingConfig") == (None if by_the_clock else {"Mode": "Active"})
    assert properties["Handler"] == (declared.handler or "run.sh")


@EACH
def test_function_logs_an_exception_as_one_line(assembly: Assembly, name: str) -> None:
    """Anybody can make the authorizer raise one, by a wrong key; as text it would be a traceback."""
    logging = found(assembly, name)[2]["Properties"]["LoggingConfig"]
    assert (logging["LogFormat"], logging["ApplicationLogLevel"]) == ("JSON", assembly.config.log_level)


@EACH
def test_function_has_the_layers_that_it_declares_and_no_others(assembly: Assembly, name: str) -> None:
    declared, properties = BY_NAME[name], found(assembly, name)[2]["Properties"]
    layers = [layer["Ref"] for layer in properties["Layers"] if "Ref" in layer]
    names = sorted(logical_id.removeprefix("Layer")[:-8] for logical_id in layers)  # CDK adds a hash of 8 characters
    assert names == sorted(["core", f"deps{declared.dependencies}", *declared.layers])
    assert len(properties["Layers"]) - len(layers) == (1 if declared.web_app else 0)


@EACH
def test_function_is_published_as_live_and_the_version_before_stays(assembly: Assembly, name: str) -> None:
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
    assert version["DeletionPolicy"] == "RetainExceptOnCreate", "calls still run on the version before"


@EACH
def test_function_has_no_snapshot_unless_the_stage_pays_for_it(assembly: Assembly, name: str) -> None:
    assert "SnapStart" not in found(assembly, name)[2]["Properties"]


@EACH
def test_function_keeps_its_own_logs_for_a_year_and_past_the_stack(assembly: Assembly, name: str) -> None:
    stack, _, function = found(assembly, name)
    group = function["Properties"]["LoggingConfig"]["LogGroup"]["Ref"]
    resource = assembly.templates[stack]["Resources"][group]
    assert resource["Properties"]["LogGroupName"].endswith(f"/{name}")
    assert resource["Properties"]["RetentionInDays"] == 365
    assert resource["DeletionPolicy"] == "RetainExceptOnCreate"


@EACH
def test_function_may_do_to_tables_what_is_declared_and_no_more(assembly: Assembly, name: str) -> None:
    assert allowed(assembly, name, "dynamodb:") == on_tables(assembly.config.stage, BY_NAME[name])


@EACH
def test_function_sends_to_and_receives_from_declared_queues_only(assembly: Assembly, name: str) -> None:
    stage, declared = assembly.config.stage, BY_NAME[name]
    expected = {("sqs:SendMessage", physical_queue_name(stage, queue)) for queue in declared.sends_to}
    for queue in QUEUES:
        if queue.consumer == name:
            expected |= {(f"sqs:{action}", physical_queue_name(stage, queue.name)) for action in RECEIVE}
    if declared.follows or name in {schedule.function for schedule in SCHEDULES}:
        kept = f"callmissed-{stage}-{name}-failures"
        expected |= {(f"sqs:{action}", kept) for action in ("SendMessage", "GetQueueAttributes", "GetQueueUrl")}
    assert allowed(assembly, name, "sqs:") == expected
    environment = found(assembly, name)[2]["Properties"]["Environment"]["Variables"]
    base = environment.get("CALLMISSED_QUEUE_BASE", "")
    account = f"https://sqs.{assembly.config.region}.<AWS::URLSuffix>/<AWS::AccountId>"
    assert assembly.text("api", base) == (account if declared.sends_to else "")


def resource_text(assembly: Assembly, resource: Declared, function: str) -> str:
    """What the statement of a function's role names for `resource`, as the assembly's text."""
    config = assembly.config
    name = resource.physical_name(config.stage, account="<AWS::AccountId>", region=config.region)
    prefix = resource.name if resource.shared else function
    return f"arn:<AWS::Partition>:s3:::{name}/{prefix}/*" if resource.kind is ResourceKind.BUCKET else name


@EACH
def test_function_reaches_only_the_resources_that_it_needs(assembly: Assembly, name: str) -> None:
    reached = {
        pair for service in ("secretsmanager:", "ssm:", "s3:", "events:") for pair in allowed(assembly, name, service)
    }
    needs, writes = filter(assembly.config.has, BY_NAME[name].needs), BY_NAME[name].writes
    assert {(action, last_name(text)) for action, text in reached} == {
        (action, resource_text(assembly, resource, name))
        for resource in needs
        for action in (*resource.actions, *(resource.write_actions if resource in writes else ()))
    }


def test_only_the_import_of_prices_writes_what_functions_read_at_their_start(assembly: Assembly) -> None:
    writers = {
        name for name in BY_NAME if any(action == "ssm:PutParameter" for action, _ in allowed(assembly, name, "ssm:"))
    }
    assert writers == {"billing"}


def last_name(text: str) -> str:
    """A parameter's ARN ends in its name; other resources are their name already."""
    return text.partition(":parameter")[2] or text


def test_only_what_is_due_or_parked_is_read_from_the_index() -> None:
    """A function that lists deliveries or files in their table has nothing to do with the index over all tenants."""
    found = {function.name for function in FUNCTIONS if {DELIVERIES.name, FILES.name} & set(function.indexes)}
    assert found == {"files-sweep", "webhook-scheduler", "webhook-sender"}


@EACH
def test_function_finds_only_the_resources_that_it_needs(assembly: Assembly, name: str) -> None:
    declared = BY_NAME[name]
    environment = found(assembly, name)[2]["Properties"]["Environment"]["Variables"]
    variables = {resource.variable for resource in RESOURCES if resource.variable}
    needs = [need for need in declared.needs if assembly.config.has(need)]
    assert variables & set(environment) == {need.variable for need in needs if need.variable}
    for need in needs:
        if need.variable:
            value = assembly.text(found(assembly, name)[0], environment[need.variable])
            assert value == variable_text(assembly, need, name)


def variable_text(assembly: Assembly, resource: Declared, function: str) -> str:
    """What the resource's environment variable holds, as the assembly's text."""
    text = resource_text(assembly, resource, function)
    if resource.kind is ResourceKind.BUCKET:
        return text.removeprefix("arn:<AWS::Partition>:s3:::").removesuffix("/*")
    return f"ssm:{text}" if resource is PROVIDERS_FILE else text


@EACH
def test_function_may_call_itself_over_and_over_only_through_its_own_queue(assembly: Assembly, name: str) -> None:
    own = {queue.name for queue in QUEUES if queue.consumer == name}
    expected = "Allow" if own & set(BY_NAME[name].sends_to) else None
    assert found(assembly, name)[2]["Properties"].get("RecursiveLoop") == expected


@EACH
def test_function_has_no_wildcard_but_for_traces_and_objects(assembly: Assembly, name: str) -> None:
    for statement in statements(assembly, name):
        actions = set(listed(statement["Action"]))
        assert not any("*" in action for action in actions)
        if any("*" in str(resource) for resource in listed(statement["Resource"])):
            traces = {"xray:PutTraceSegments", "xray:PutTelemetryRecords"}
            objects = [set(need.actions) for need in BY_NAME[name].needs if need.kind is ResourceKind.BUCKET]
            assert actions in (traces, *objects)
        assert statement["Effect"] == "Allow"


@EACH
def test_function_knows_its_stage(assembly: Assembly, name: str) -> None:
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
