"""ARNs in the templates that no stack makes, or only a later one. No stack need refer to another by a reference.

A name that is built twice may be built wrong: CloudFormation then fails half-way, or a role allows what does not exist.
"""

from collections.abc import Iterator, Mapping
from typing import Any, cast

from rehearsal.access.policies import matches
from rehearsal.access.roles import policies_of
from rehearsal.templates.identities import function_arn
from rehearsal.templates.plan import DeploymentPlan, PlannedResource

_LOOKED_UP: Mapping[str, tuple[str, ...]] = {
    "AWS::CloudWatch::Alarm": ("AlarmActions", "OKActions", "InsufficientDataActions"),
    "AWS::Events::EventBus": ("DeadLetterConfig.Arn",),
    "AWS::Events::Rule": ("Targets.Arn", "Targets.DeadLetterConfig.Arn"),
    "AWS::Lambda::EventInvokeConfig": ("DestinationConfig.OnFailure.Destination",),
    "AWS::Lambda::EventSourceMapping": ("EventSourceArn", "DestinationConfig.OnFailure.Destination"),
    "AWS::Lambda::Function": ("Role",),
    "AWS::Scheduler::Schedule": ("Target.Arn", "Target.RoleArn", "Target.DeadLetterConfig.Arn"),
    "AWS::SQS::Queue": ("RedrivePolicy.deadLetterTargetArn",),
}
"""Properties whose resource must exist when theirs is created."""

_OWN_SERVICES = ("dynamodb", "events", "kms", "logs", "s3", "secretsmanager", "sns", "sqs", "ssm")


def dangling_references(plan: DeploymentPlan) -> list[str]:
    """One line for each ARN that leads nowhere, or to a stack that is deployed later."""
    return [*_looked_up(plan), *_granted(plan)]


def _looked_up(plan: DeploymentPlan) -> Iterator[str]:
    stacks = list(dict.fromkeys(resource.stack for resource in plan.resources))
    for resource in plan.resources:
        for path in _LOOKED_UP.get(resource.type, ()):
            for arn in _values(resource.properties, path.split(".")):
                found = _resource_of(plan, arn)
                if found is None:
                    yield f"{resource.path}.{path}: no stack makes {arn}"
                elif stacks.index(found.stack) > stacks.index(resource.stack):
                    yield f"{resource.path}.{path}: {arn} is made by the later stack '{found.stack}'"


def _granted(plan: DeploymentPlan) -> Iterator[str]:
    arns = [arn for resource in plan.resources for arn in _arns(resource)]
    for role, statements in policies_of(plan).roles.items():
        for statement in statements:
            for pattern in _listed(statement.get("Resource", [])):
                own = pattern != "*" and pattern.split(":")[2] in _OWN_SERVICES
                if own and not any(matches(_container(pattern), arn) for arn in arns):
                    yield f"{role.rpartition('/')[2]}: no stack makes {pattern}, which the role allows"


def _arns(resource: PlannedResource) -> Iterator[str]:
    yield resource.arn
    yield from (value for name, value in resource.identity.attributes.items() if name.endswith("Arn"))
    for index in resource.properties.get("GlobalSecondaryIndexes", []):
        yield f"{resource.arn}/index/{index['IndexName']}"


def _container(pattern: str) -> str:
    """Of objects in a bucket, the bucket."""
    return pattern.partition("/")[0] if ":s3:::" in pattern else pattern


def _resource_of(plan: DeploymentPlan, arn: str) -> PlannedResource | None:
    for resource in plan.resources:
        if arn in (resource.arn, resource.identity.attributes.get("StreamArn")):
            return resource
    return plan.with_arn(":".join(function_arn(arn).split(":")[:7])) if ":lambda:" in arn else None


def _values(value: Any, path: list[str]) -> Iterator[str]:
    """The texts below `path`, through lists."""
    if isinstance(value, list):
        for item in cast("list[Any]", value):
            yield from _values(item, path)
    elif not path:
        yield str(value)
    elif isinstance(value, dict) and path[0] in value:
        yield from _values(cast("dict[str, Any]", value)[path[0]], path[1:])


def _listed(value: Any) -> list[str]:
    return cast("list[str]", value) if isinstance(value, list) else [value]
