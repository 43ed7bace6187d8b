"""Calls that AWS makes between a stage's resources, and what its policies allow, read from the templates.

A resource is written as `stack/LogicalId` wherever it is referred to, also where another stack built its ARN by name.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from tests.support.assembly import Assembly, Resource

_ACCOUNT = "<AWS::AccountId>"


@dataclass(frozen=True, slots=True)
class Edge:
    """`principal` does `action` to `target`; `role` is the role that it assumes for that, if it assumes one."""

    source: str
    principal: str
    action: str
    target: str
    role: str | None = None


def edges(assembly: Assembly) -> Iterator[Edge]:
    """Every call between the resources. Raises KeyError for a type of resource that nobody has looked at."""
    for stack, template in assembly.templates.items():
        for logical_id, resource in template["Resources"].items():
            found = _EDGES[resource["Type"]]
            if found:
                yield from found(assembly, stack, f"{stack}/{logical_id}", resource.get("Properties", {}))


def allowed(assembly: Assembly, edge: Edge) -> bool:
    """Whether a policy allows `edge`."""
    if edge.role is None:
        return any(_resource_policy_allows(assembly, edge, *policy) for policy in _resource_policies(assembly))
    if edge.principal not in _trusted(assembly, edge.role):
        return False
    statements = _role_statements(assembly, edge.role)
    return any(
        statement["Effect"] == "Allow"
        and edge.action in listed(statement["Action"])
        and edge.target in [reference(assembly, stack, target) for target in listed(statement["Resource"])]
        for stack, statement in statements
    )


def listed(value: Any) -> list[Any]:
    """CloudFormation's one-or-many as a list."""
    return value if isinstance(value, list) else [value]


def reference(assembly: Assembly, stack: str, value: Any) -> str:
    """The resource that `value` refers to, or the text of `value`."""
    if isinstance(value, dict) and ("Ref" in value or "Fn::GetAtt" in value):
        logical_id, attribute = value.get("Fn::GetAtt") or (value["Ref"], "Arn")
        known = logical_id in assembly.templates[stack]["Resources"]
        suffix = "" if attribute in ("Arn", "TopicArn", "RootResourceId") else f".{attribute}"
        return f"{stack}/{logical_id}{suffix}" if known else f"<{logical_id}>"
    if isinstance(value, dict) and "Fn::GetStackOutput" in value:
        return reference(assembly, *assembly.output(value["Fn::GetStackOutput"]))
    text = assembly.text(stack, value)
    return _by_name(assembly).get(text, text)


def _by_name(assembly: Assembly) -> Mapping[str, str]:
    kinds = ("AWS::SQS::Queue", "AWS::DynamoDB::Table", "AWS::Events::EventBus", "AWS::SecretsManager::Secret")
    return {
        assembly.text(stack, {"Ref": logical_id}): f"{stack}/{logical_id}"
        for kind in kinds
        for stack, logical_id, _ in assembly.resources(kind)
    }


def _resource_policies(assembly: Assembly) -> Iterator[tuple[str, dict[str, Any]]]:
    """Stack and statement of every policy of a queue, a topic and a function."""
    for kind in ("AWS::SQS::QueuePolicy", "AWS::SNS::TopicPolicy"):
        for stack, _, policy in assembly.resources(kind):
            for statement in policy["Properties"]["PolicyDocument"]["Statement"]:
                yield stack, statement
    for stack, _, permission in assembly.resources("AWS::Lambda::Permission"):
        properties = permission["Properties"]
        yield (
            stack,
            {
                "Effect": "Allow",
                "Principal": {"Service": properties["Principal"]},
                "Action": properties["Action"],
                "Resource": properties["FunctionName"],
                "Condition": {"ArnLike": {"aws:SourceArn": properties["SourceArn"]}},
            },
        )


def _resource_policy_allows(assembly: Assembly, edge: Edge, stack: str, statement: dict[str, Any]) -> bool:
    principal = statement["Principal"]
    return (
        statement["Effect"] == "Allow"
        and isinstance(principal, dict)
        and principal.get("Service") == edge.principal
        and edge.action in listed(statement["Action"])
        and reference(assembly, stack, statement["Resource"]) == edge.target
        and all(
            _condition_holds(assembly, edge, stack, operator, key, wanted)
            for operator, pairs in statement.get("Condition", {}).items()
            for key, wanted in pairs.items()
        )
    )


def _condition_holds(assembly: Assembly, edge: Edge, stack: str, operator: str, key: str, wanted: Any) -> bool:
    """Whether the source meets a condition. Raises KeyError for a condition that nobody has looked at."""
    value = {"aws:SourceAccount": _ACCOUNT, "aws:SourceArn": edge.source}[key]
    pattern = reference(assembly, stack, wanted)
    if operator == "ArnLike":
        return fnmatchcase(value, pattern)
    return {"ArnEquals": value == pattern, "StringEquals": value == pattern}[operator]


def _trusted(assembly: Assembly, role: str) -> list[str]:
    stack, _, logical_id = role.partition("/")
    document = assembly.templates[stack]["Resources"][logical_id]["Properties"]["AssumeRolePolicyDocument"]
    return [statement["Principal"]["Service"] for statement in document["Statement"]]


def _role_statements(assembly: Assembly, role: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for stack, _, policy in assembly.resources("AWS::IAM::Policy"):
        if role in [reference(assembly, stack, each) for each in policy["Properties"]["Roles"]]:
            for statement in policy["Properties"]["PolicyDocument"]["Statement"]:
                yield stack, statement


def _alarm(assembly: Assembly, stack: str, _: str, alarm: Resource) -> Iterator[Edge]:
    arn = f"arn:<AWS::Partition>:cloudwatch:{assembly.config.region}:{_ACCOUNT}:alarm:{alarm['AlarmName']}"
    for action in alarm["AlarmActions"]:
        yield Edge(arn, "cloudwatch.amazonaws.com", "sns:Publish", reference(assembly, stack, action))


def _rule(assembly: Assembly, stack: str, source: str, rule: Resource) -> Iterator[Edge]:
    for target in rule["Targets"]:
        for arn in (target["Arn"], target["DeadLetterConfig"]["Arn"]):
            yield Edge(source, "events.amazonaws.com", "sqs:SendMessage", reference(assembly, stack, arn))


def _bus(assembly: Assembly, stack: str, source: str, bus: Resource) -> Iterator[Edge]:
    arn = reference(assembly, stack, bus["DeadLetterConfig"]["Arn"])
    yield Edge(source, "events.amazonaws.com", "sqs:SendMessage", arn)


def _schedule(assembly: Assembly, stack: str, source: str, schedule: Resource) -> Iterator[Edge]:
    target = schedule["Target"]
    role = reference(assembly, stack, target["RoleArn"])
    called, kept = (reference(assembly, stack, arn) for arn in (target["Arn"], target["DeadLetterConfig"]["Arn"]))
    yield Edge(source, "scheduler.amazonaws.com", "lambda:InvokeFunction", called, role)
    yield Edge(source, "scheduler.amazonaws.com", "sqs:SendMessage", kept, role)


def _mapping(assembly: Assembly, stack: str, source: str, mapping: Resource) -> Iterator[Edge]:
    """Lambda reads a queue or a stream, and sends what it gives up, with the function's own role."""
    alias = mapping["FunctionName"]["Fn::Join"][1][0]["Fn::Select"][1]["Fn::Split"][1]["Ref"]
    role = _role_of_alias(assembly, stack, alias)
    read = reference(assembly, stack, mapping["EventSourceArn"])
    stream = ("dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator", "dynamodb:ListStreams")
    queue = ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes")
    for action in stream if read.endswith(".StreamArn") else queue:
        yield Edge(source, "lambda.amazonaws.com", action, read, role)
    yield from _given_up(assembly, stack, source, mapping, role)


def _asynchronous(assembly: Assembly, stack: str, source: str, settings: Resource) -> Iterator[Edge]:
    alias = settings["Qualifier"]["Fn::Select"][1]["Fn::Split"][1]["Ref"]
    yield from _given_up(assembly, stack, source, settings, _role_of_alias(assembly, stack, alias))


def _given_up(assembly: Assembly, stack: str, source: str, settings: Resource, role: str) -> Iterator[Edge]:
    if destination := settings.get("DestinationConfig", {}).get("OnFailure"):
        target = reference(assembly, stack, destination["Destination"])
        yield Edge(source, "lambda.amazonaws.com", "sqs:SendMessage", target, role)


def _role_of_alias(assembly: Assembly, stack: str, alias: str) -> str:
    resources = assembly.templates[stack]["Resources"]
    function = resources[alias]["Properties"]["FunctionName"]["Ref"]
    return reference(assembly, stack, resources[function]["Properties"]["Role"])


def _function(assembly: Assembly, stack: str, source: str, function: Resource) -> Iterator[Edge]:
    role = reference(assembly, stack, function["Role"])
    group = reference(assembly, stack, function["LoggingConfig"]["LogGroup"])
    for action in ("logs:CreateLogStream", "logs:PutLogEvents"):
        yield Edge(source, "lambda.amazonaws.com", action, group, role)
    traces = ("xray:PutTraceSegments", "xray:PutTelemetryRecords")
    for action in traces if function.get("TracingConfig", {}).get("Mode") == "Active" else ():
        yield Edge(source, "lambda.amazonaws.com", action, "*", role)


def _api(assembly: Assembly, stack: str, source: str, api: Resource) -> Iterator[Edge]:
    """API Gateway calls the function of every method, and the authorizer."""
    name = assembly.text(stack, {"Ref": source.partition("/")[2]})
    arn = f"arn:<AWS::Partition>:execute-api:{assembly.config.region}:{_ACCOUNT}:{name}"
    for path, methods in api["Body"]["paths"].items():
        for method, operation in methods.items():
            caller = f"{arn}/{assembly.config.stage}/{method.upper()}{path}"
            yield _api_call(caller, stack, operation["x-amazon-apigateway-integration"]["uri"])
    for scheme in api["Body"]["components"]["securitySchemes"].values():
        if authorizer := scheme.get("x-amazon-apigateway-authorizer"):
            yield _api_call(f"{arn}/authorizers/1", stack, authorizer["authorizerUri"])


def _api_call(caller: str, stack: str, uri: dict[str, Any]) -> Edge:
    [alias] = [part["Ref"] for part in uri["Fn::Join"][1] if isinstance(part, dict) and "Live" in part["Ref"]]
    return Edge(caller, "apigateway.amazonaws.com", "lambda:InvokeFunction", f"{stack}/{alias}")


_EDGES: Mapping[str, Callable[[Assembly, str, str, Resource], Iterator[Edge]] | None] = {
    "AWS::ApiGateway::Account": None,
    "AWS::ApiGateway::BasePathMapping": None,
    "AWS::ApiGateway::Deployment": None,
    "AWS::ApiGateway::DomainName": None,
    "AWS::ApiGateway::RestApi": _api,
    "AWS::ApiGateway::Stage": None,  # It logs with the role of the account, which has AWS's managed policy for that.
    "AWS::CloudWatch::Alarm": _alarm,
    "AWS::CloudWatch::Dashboard": None,
    "AWS::DynamoDB::Table": None,
    "AWS::Events::EventBus": _bus,
    "AWS::Events::Rule": _rule,
    "AWS::IAM::Policy": None,
    "AWS::IAM::Role": None,
    "AWS::Lambda::Alias": None,
    "AWS::Lambda::EventInvokeConfig": _asynchronous,
    "AWS::Lambda::EventSourceMapping": _mapping,
    "AWS::Lambda::Function": _function,
    "AWS::Lambda::LayerVersion": None,
    "AWS::Lambda::Permission": None,
    "AWS::Lambda::Version": None,
    "AWS::Logs::LogGroup": None,
    "AWS::S3::Bucket": None,
    "AWS::S3::BucketPolicy": None,
    "AWS::SNS::Subscription": None,
    "AWS::SNS::Topic": None,
    "AWS::SNS::TopicPolicy": None,
    "AWS::SQS::Queue": None,  # A queue moves messages to its dead-letter queue of the same account without a policy.
    "AWS::SQS::QueuePolicy": None,
    "AWS::SSM::Parameter": None,
    "AWS::Scheduler::Schedule": _schedule,
    "AWS::Scheduler::ScheduleGroup": None,
    "AWS::SecretsManager::Secret": None,
    "AWS::WAFv2::WebACL": None,
    "AWS::WAFv2::WebACLAssociation": None,
}
"""What each type of resource calls."""
