"""Where a stage has its resources. Each builder fits one kind of `callmissed.platform.resources`."""

from dataclasses import dataclass

from aws_cdk import Aws
from aws_cdk import aws_events as events
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_ssm as ssm

from callmissed.platform.resources import Resource
from infra.config import StageConfig


@dataclass(frozen=True, slots=True)
class Location:
    """`arn` is what a role is granted actions on, `value` what the resource's environment variable holds.

    `actions` replace the resource's own where a stage keeps it in another service.
    """

    arn: str
    value: str = ""
    actions: tuple[str, ...] = ()


def secret_location(secret: secretsmanager.Secret) -> Location:
    """Location of a secret."""
    return Location(secret.secret_arn, secret.secret_arn)


def parameter_location(parameter: ssm.StringParameter) -> Location:
    """Location of a parameter."""
    return Location(parameter.parameter_arn, f"ssm:{parameter.parameter_name}")


def object_location(url: str) -> Location:
    """Location of one S3 object, which functions only read. `url` is `s3://<bucket>/<key>`."""
    return Location(f"arn:{Aws.PARTITION}:s3:::{url.removeprefix('s3://')}", url, ("s3:GetObject",))


def bucket_location(resource: Resource, config: StageConfig) -> Location:
    """Location of a bucket's objects. The bucket is found by its name, so that no stack exports it."""
    name = bucket_name(resource, config)
    return Location(f"arn:{Aws.PARTITION}:s3:::{name}/*", name)


def bucket_name(resource: Resource, config: StageConfig) -> str:
    """Physical name of a bucket."""
    return resource.physical_name(config.stage, account=Aws.ACCOUNT_ID, region=config.region)


def bus_location(bus: events.EventBus) -> Location:
    """Location of an event bus."""
    return Location(bus.event_bus_arn)
