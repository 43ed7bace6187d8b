"""The policies of a plan: of roles, and of the resources that have policies of their own."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from local.aws.account import ACCOUNT
from rehearsal.access.policies import AccessRequest, Statement, allows, statements_of
from rehearsal.templates.identities import function_arn
from rehearsal.templates.plan import DeploymentPlan, PlannedResource

_QUEUE, _QUEUE_POLICY = "AWS::SQS::Queue", "AWS::SQS::QueuePolicy"
_TOPIC, _TOPIC_POLICY = "AWS::SNS::Topic", "AWS::SNS::TopicPolicy"


@dataclass(frozen=True, slots=True)
class Policies:
    """Statements of the roles by their ARN, and of queues, topics, keys and functions by theirs."""

    roles: Mapping[str, Sequence[Statement]]
    resources: Mapping[str, Sequence[Statement]]

    def role_allows(self, role: str, request: AccessRequest) -> bool:
        """Whether the role of that ARN may do it."""
        return allows(self.roles.get(role, ()), request)

    def resource_allows(self, request: AccessRequest) -> bool:
        """Whether the resource's own policy lets the service do it."""
        return allows(self.resources.get(request.resource, ()), request)


def policies_of(plan: DeploymentPlan) -> Policies:
    """Everything that the templates allow."""
    resources: dict[str, list[Statement]] = {}
    for arn, statement in [*_of_queues(plan), *_of_topics(plan), *_of_keys(plan), *_of_functions(plan)]:
        resources.setdefault(arn, []).append(statement)
    roles = {role.arn: list(_of_role(plan, role)) for role in plan.of("AWS::IAM::Role")}
    return Policies(roles, resources)


def assumed_by(role: PlannedResource, service: str, source: str) -> bool:
    """Whether `service` may assume the role for the resource of ARN `source`."""
    document: Mapping[str, Any] = role.properties.get("AssumeRolePolicyDocument", {})
    context = {"aws:SourceAccount": ACCOUNT, "aws:SourceArn": source}
    request = AccessRequest("sts:AssumeRole", role.arn, context, service)
    return allows([{**each, "Resource": "*"} for each in statements_of(document)], request)


def _of_role(plan: DeploymentPlan, role: PlannedResource) -> Iterator[Statement]:
    for policy in role.properties.get("Policies", []):
        yield from statements_of(policy["PolicyDocument"])
    for policy in plan.of("AWS::IAM::Policy", "AWS::IAM::ManagedPolicy"):
        if role.identity.ref in policy.properties.get("Roles", []):
            yield from statements_of(policy.properties["PolicyDocument"])


def _of_queues(plan: DeploymentPlan) -> Iterator[tuple[str, Statement]]:
    arns = {queue.identity.ref: queue.arn for queue in plan.of(_QUEUE)}
    for policy in plan.of(_QUEUE_POLICY):
        for url in policy.properties["Queues"]:
            for statement in statements_of(policy.properties["PolicyDocument"]):
                yield arns.get(str(url), str(url)), statement


def _of_topics(plan: DeploymentPlan) -> Iterator[tuple[str, Statement]]:
    with_policy: set[str] = set()
    for policy in plan.of(_TOPIC_POLICY):
        for topic in policy.properties["Topics"]:
            with_policy.add(str(topic))
            for statement in statements_of(policy.properties["PolicyDocument"]):
                yield topic, statement
    for topic in plan.of(_TOPIC):
        if topic.arn not in with_policy:  # SNS's own policy lets the whole account in
            yield topic.arn, {"Effect": "Allow", "Principal": "*", "Action": "sns:*", "Resource": topic.arn}


def _of_keys(plan: DeploymentPlan) -> Iterator[tuple[str, Statement]]:
    for key in plan.of("AWS::KMS::Key"):
        for statement in statements_of(key.properties["KeyPolicy"]):
            yield key.arn, statement


def _of_functions(plan: DeploymentPlan) -> Iterator[tuple[str, Statement]]:
    for permission in plan.of("AWS::Lambda::Permission"):
        given = permission.properties
        arn = function_arn(given["FunctionName"])
        conditions = {"ArnLike": {"aws:SourceArn": given["SourceArn"]}} if "SourceArn" in given else {}
        principal = {"Service": given["Principal"]}
        action = given.get("Action", "lambda:InvokeFunction")
        yield (
            arn,
            {"Effect": "Allow", "Principal": principal, "Action": action, "Resource": arn, "Condition": conditions},
        )
