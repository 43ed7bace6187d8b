"""The models on Bedrock that a stage's functions may call, from their ids to IAM's statements.

https://docs.aws.amazon.com/bedrock/latest/userguide/inference-profiles-prereq.html
"""

from collections.abc import Iterator
from dataclasses import dataclass

from aws_cdk import Aws
from aws_cdk import aws_iam as iam

from callmissed.platform.functions import Function
from infra.config import StageConfig
from infra.constructs.checks import accept

_GEOGRAPHIES = frozenset({"apac", "au", "ca", "eu", "global", "jp", "us", "us-gov"})
"""The first part of the ids of AWS's own inference profiles."""

_PROFILE = ":inference-profile/"


@dataclass(frozen=True, slots=True)
class _Profile:
    """An inference profile of AWS, which calls one model in several regions."""

    arn: str
    model: str


def allow_models(role: iam.Role, declared: Function, config: StageConfig) -> None:
    """Let the role of a function that calls models call those that the stage names, and no others."""
    for name in config.bedrock_models if declared.model_actions else ():
        for statement in _statements(name, declared.model_actions, config):
            role.add_to_policy(statement)
            for resource in statement.resources:
                if "*" in resource:
                    _accept_regions(role, resource)


def _statements(name: str, actions: tuple[str, ...], config: StageConfig) -> Iterator[iam.PolicyStatement]:
    """A profile needs the model too, in all of its regions, but only through the profile."""
    profile = _profile(name, config)
    yield iam.PolicyStatement(actions=list(actions), resources=[profile.arn if profile else _model_arn(name, config)])
    if profile:
        yield iam.PolicyStatement(
            actions=list(actions),
            resources=[f"arn:{Aws.PARTITION}:bedrock:*::foundation-model/{profile.model}"],
            conditions={"StringEquals": {"bedrock:InferenceProfileArn": profile.arn}},
        )


def _profile(name: str, config: StageConfig) -> _Profile | None:
    profile_id = name.rpartition(_PROFILE)[2]
    geography, _, model = profile_id.partition(".")
    if geography not in _GEOGRAPHIES:
        return None
    arn = f"arn:{Aws.PARTITION}:bedrock:{config.region}:{Aws.ACCOUNT_ID}{_PROFILE}{profile_id}"
    return _Profile(name if name.startswith("arn:") else arn, model)


def _model_arn(name: str, config: StageConfig) -> str:
    return name if name.startswith("arn:") else f"arn:{Aws.PARTITION}:bedrock:{config.region}::foundation-model/{name}"


def _accept_regions(role: iam.Role, resource: str) -> None:
    finding = resource.replace(Aws.PARTITION, "<AWS::Partition>")
    accept(role, "AWS adds regions to a profile; the condition names it.", f"AwsSolutions-IAM5[Resource::{finding}]")
