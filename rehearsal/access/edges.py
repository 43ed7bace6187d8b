"""The edges between services: who acts on what without a function of ours, and whether a policy allows it.

No call of the product shows that an edge is refused: an alarm or an event that may not be delivered is lost silently.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from local.aws.account import ACCOUNT, REGION
from rehearsal.access.policies import AccessRequest
from rehearsal.access.roles import Policies, assumed_by, policies_of
from rehearsal.templates.identities import function_arn
from rehearsal.templates.plan import DeploymentPlan, PlannedResource

_QUEUE_ACTIONS = ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes")
_STREAM_ACTIONS = ("dynamodb:DescribeStream", "dynamodb:GetShardIterator", "dynamodb:GetRecords")
_LOG_ACTIONS = ("logs:CreateLogStream", "logs:PutLogEvents")
_TRACE_ACTIONS = ("xray:PutTraceSegments", "xray:PutTelemetryRecords")
_METHOD_SETTINGS = "arn:aws:execute-api:"
_INVOKED = re.compile(r"/functions/(arn:[^/]+)/")


@dataclass(frozen=True, slots=True)
class Edge:
    """`source` needs `request` to be allowed: to `role` where there is one, else by the resource's own policy."""

    source: str
    request: AccessRequest
    role: str | None = None


def refused_edges(plan: DeploymentPlan) -> list[str]:
    """One line for each edge that no policy allows, and for each role that its service may not assume."""
    policies = policies_of(plan)
    refused = [_line(edge) for edge in edges(plan) if not _allowed(edge, policies)]
    return [*refused, *_unassumable(plan)]


def edges(plan: DeploymentPlan) -> Iterator[Edge]:
    """Every edge of the plan."""
    yield from _alarms(plan)
    yield from _buses(plan)
    yield from _rules(plan)
    yield from _apis(plan)
    yield from _schedules(plan)
    yield from _mappings(plan)
    yield from _failure_destinations(plan)
    yield from _functions(plan)


def invoked_function(uri: str) -> str:
    """ARN of the function, or alias, in the URI of an integration or authorizer."""
    found = _INVOKED.search(uri)
    return found[1] if found else ""


def method_source(api: PlannedResource, stage: str, method: str, path: str) -> str:
    """ARN of the source that API Gateway names when it calls a function for a method."""
    names = re.sub(r"\{[^}]+\}", "*", path)
    return f"{_METHOD_SETTINGS}{REGION}:{ACCOUNT}:{api.identity.ref}/{stage}/{method}{names}"


def authorizer_source(api: PlannedResource) -> str:
    """ARN of the source that API Gateway names when it calls an authorizer."""
    return f"{_METHOD_SETTINGS}{REGION}:{ACCOUNT}:{api.identity.ref}/authorizers/a1b2c3"


def _allowed(edge: Edge, policies: Policies) -> bool:
    if edge.role:
        return policies.role_allows(edge.role, edge.request)
    return policies.resource_allows(edge.request)


def _line(edge: Edge) -> str:
    who = (
        f"role {edge.role.rpartition('/')[2]}"
        if edge.role
        else f"the policy of the resource, for {edge.request.service}"
    )
    return f"{edge.source}: {edge.request.action} on {edge.request.resource} is not allowed by {who}"


def _from(source: PlannedResource, action: str, resource: str, service: str, source_arn: str = "") -> Edge:
    context = {"aws:SourceAccount": ACCOUNT, "aws:SourceArn": source_arn or source.arn}
    return Edge(source.path, AccessRequest(action, resource, context, service))


def _alarms(plan: DeploymentPlan) -> Iterator[Edge]:
    for alarm in plan.of("AWS::CloudWatch::Alarm", "AWS::CloudWatch::CompositeAlarm"):
        for kind in ("AlarmActions", "OKActions", "InsufficientDataActions"):
            for topic in alarm.properties.get(kind, []):
                yield _from(alarm, "sns:Publish", topic, "cloudwatch.amazonaws.com")
                yield from _key_of_topic(plan, alarm, topic)


def _key_of_topic(plan: DeploymentPlan, alarm: PlannedResource, topic: str) -> Iterator[Edge]:
    found = plan.with_arn(topic)
    if found and (key := found.properties.get("KmsMasterKeyId")):
        for action in ("kms:Decrypt", "kms:GenerateDataKey"):
            request = AccessRequest(action, key, {"aws:SourceAccount": ACCOUNT}, "cloudwatch.amazonaws.com")
            yield Edge(alarm.path, request)


def _buses(plan: DeploymentPlan) -> Iterator[Edge]:
    for bus in plan.of("AWS::Events::EventBus"):
        if queue := bus.properties.get("DeadLetterConfig", {}).get("Arn"):
            yield _from(bus, "sqs:SendMessage", queue, "events.amazonaws.com")


def _rules(plan: DeploymentPlan) -> Iterator[Edge]:
    for rule in plan.of("AWS::Events::Rule"):
        for target in rule.properties["Targets"]:
            for arn in (target["Arn"], target.get("DeadLetterConfig", {}).get("Arn", "")):
                if arn.startswith("arn:aws:sqs:"):
                    yield _from(rule, "sqs:SendMessage", arn, "events.amazonaws.com")
                elif arn.startswith("arn:aws:lambda:"):
                    yield _from(rule, "lambda:InvokeFunction", arn, "events.amazonaws.com")


def _apis(plan: DeploymentPlan) -> Iterator[Edge]:
    stages = {stage.properties["RestApiId"]: stage.name for stage in plan.of("AWS::ApiGateway::Stage")}
    for api in plan.of("AWS::ApiGateway::RestApi"):
        body: Any = api.properties["Body"]
        for path, methods in body["paths"].items():
            for method, operation in methods.items():
                arn = invoked_function(operation["x-amazon-apigateway-integration"]["uri"])
                source = method_source(api, stages.get(api.identity.ref, ""), method.upper(), path)
                yield _from(api, "lambda:InvokeFunction", arn, "apigateway.amazonaws.com", source)
        for scheme in body.get("components", {}).get("securitySchemes", {}).values():
            if "x-amazon-apigateway-authorizer" not in scheme:
                continue
            arn = invoked_function(scheme["x-amazon-apigateway-authorizer"]["authorizerUri"])
            yield _from(api, "lambda:InvokeFunction", arn, "apigateway.amazonaws.com", authorizer_source(api))


def _schedules(plan: DeploymentPlan) -> Iterator[Edge]:
    for schedule in plan.of("AWS::Scheduler::Schedule"):
        target = schedule.properties["Target"]
        yield Edge(schedule.path, AccessRequest("lambda:InvokeFunction", target["Arn"]), target["RoleArn"])
        if queue := target.get("DeadLetterConfig", {}).get("Arn"):
            yield Edge(schedule.path, AccessRequest("sqs:SendMessage", queue), target["RoleArn"])


def _mappings(plan: DeploymentPlan) -> Iterator[Edge]:
    roles = _roles_of_functions(plan)
    for mapping in plan.of("AWS::Lambda::EventSourceMapping"):
        source, role = mapping.properties["EventSourceArn"], roles[_function_of(mapping)]
        for action in _QUEUE_ACTIONS if ":sqs:" in source else _STREAM_ACTIONS:
            yield Edge(mapping.path, AccessRequest(action, source), role)
        if destination := mapping.properties.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination"):
            yield Edge(mapping.path, AccessRequest("sqs:SendMessage", destination), role)


def _failure_destinations(plan: DeploymentPlan) -> Iterator[Edge]:
    roles = _roles_of_functions(plan)
    for config in plan.of("AWS::Lambda::EventInvokeConfig"):
        for kind in ("OnFailure", "OnSuccess"):
            if destination := config.properties.get("DestinationConfig", {}).get(kind, {}).get("Destination"):
                yield Edge(config.path, AccessRequest("sqs:SendMessage", destination), roles[_function_of(config)])


def _functions(plan: DeploymentPlan) -> Iterator[Edge]:
    """Lambda writes a function's log and its traces with the function's role."""
    groups = {group.name: group for group in plan.of("AWS::Logs::LogGroup")}
    for function in plan.of("AWS::Lambda::Function"):
        role = function.properties["Role"]
        if group := groups.get(function.properties.get("LoggingConfig", {}).get("LogGroup", "")):
            yield from (Edge(function.path, AccessRequest(action, group.arn), role) for action in _LOG_ACTIONS)
        if function.properties.get("TracingConfig", {}).get("Mode") == "Active":
            yield from (Edge(function.path, AccessRequest(action, "*"), role) for action in _TRACE_ACTIONS)


def _roles_of_functions(plan: DeploymentPlan) -> dict[str, str]:
    return {function.arn: function.properties["Role"] for function in plan.of("AWS::Lambda::Function")}


def _function_of(resource: PlannedResource) -> str:
    """ARN of the function, without a version or alias, that `FunctionName` names."""
    return ":".join(function_arn(resource.properties["FunctionName"]).split(":")[:7])


def _unassumable(plan: DeploymentPlan) -> Iterator[str]:
    for user, service, arn, source in _assumed_roles(plan):
        role = plan.with_arn(arn)
        if role is None:
            yield f"{user.path}: the role {arn} does not exist"
        elif not assumed_by(role, service, source):
            yield f"{user.path}: {service} may not assume the role {role.path}"


def _assumed_roles(plan: DeploymentPlan) -> Iterator[tuple[PlannedResource, str, str, str]]:
    """The user of a role, its service, the role's ARN, and the ARN of the source that the service names."""
    for function in plan.of("AWS::Lambda::Function"):
        yield function, "lambda.amazonaws.com", function.properties["Role"], function.arn
    for schedule in plan.of("AWS::Scheduler::Schedule"):
        group = f"arn:aws:scheduler:{REGION}:{ACCOUNT}:schedule-group/{schedule.properties.get('GroupName', 'default')}"
        yield schedule, "scheduler.amazonaws.com", schedule.properties["Target"]["RoleArn"], group
    for account in plan.of("AWS::ApiGateway::Account"):
        yield account, "apigateway.amazonaws.com", account.properties["CloudWatchRoleArn"], account.arn
