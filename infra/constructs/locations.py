"""Where a stage has its tables, queues and resources: ARNs built from declared names.

No stack exports what another one uses, so a function, a queue or the last use of a table can be removed in one
deployment. CloudFormation refuses to change an export that a deployed stack imports.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from aws_cdk import Aws

from callmissed.platform.functions import Function
from callmissed.platform.queues import physical_queue_name
from callmissed.platform.resources import PROVIDERS_FILE, Resource, ResourceKind
from callmissed.platform.tables import Table, physical_name
from infra.config import StageConfig

ALIAS = "live"
"""The alias that callers of a function use."""
_SUFFIX = "-??????"
"""Secrets Manager ends a secret's ARN in a hyphen and six random characters."""


@dataclass(frozen=True, slots=True)
class Location:
    """`arn` is what a role is granted actions on, `value` what the resource's environment variable holds.

    `actions` replace the resource's own where a stage keeps it in another service.
    """

    arn: str
    value: str = ""
    actions: tuple[str, ...] = ()


def location(resource: Resource, config: StageConfig, function: Function) -> Location:
    """Location of a declared resource, as `function` may use it."""
    if resource is PROVIDERS_FILE and config.providers_object:
        return _object_location(config.providers_object)
    if resource.kind is ResourceKind.BUCKET:
        return _prefix_location(resource, config, resource.name if resource.shared else function.name)
    return _LOCATE[resource.kind](resource, config)


def table_arn(table: Table, config: StageConfig) -> str:
    """ARN of a declared table."""
    return _arn(config, "dynamodb", f"table/{physical_name(config.stage, table)}")


def queue_arn(name: str, config: StageConfig) -> str:
    """ARN of the queue that is declared as `name`."""
    return _arn(config, "sqs", physical_queue_name(config.stage, name))


def alias_arn(function: Function, config: StageConfig) -> str:
    """ARN of the alias by which a declared function is called."""
    return _arn(config, "lambda", f"function:{function.physical_name(config.stage)}:{ALIAS}")


def bucket_name(resource: Resource, config: StageConfig) -> str:
    """Physical name of a bucket."""
    return resource.physical_name(config.stage, account=Aws.ACCOUNT_ID, region=config.region)


def _arn(config: StageConfig, service: str, resource: str) -> str:
    return f"arn:{Aws.PARTITION}:{service}:{config.region}:{Aws.ACCOUNT_ID}:{resource}"


def _secret_location(resource: Resource, config: StageConfig) -> Location:
    name = resource.physical_name(config.stage)
    return Location(_arn(config, "secretsmanager", f"secret:{name}{_SUFFIX}"), name)


def _parameter_location(resource: Resource, config: StageConfig) -> Location:
    name = resource.physical_name(config.stage)
    return Location(_arn(config, "ssm", f"parameter{name}"), f"ssm:{name}")


def _object_location(url: str) -> Location:
    """Location of one S3 object, which functions only read. `url` is `s3://<bucket>/<key>`."""
    return Location(f"arn:{Aws.PARTITION}:s3:::{url.removeprefix('s3://')}", url, ("s3:GetObject",))


def _prefix_location(resource: Resource, config: StageConfig, prefix: str) -> Location:
    """Location of the objects of a bucket below `prefix`."""
    place = f"{bucket_name(resource, config)}/{prefix}"
    return Location(f"arn:{Aws.PARTITION}:s3:::{place}/*", place)


def _bus_location(resource: Resource, config: StageConfig) -> Location:
    return Location(_arn(config, "events", f"event-bus/{resource.physical_name(config.stage)}"))


_LOCATE: Mapping[ResourceKind, Callable[[Resource, StageConfig], Location]] = {
    ResourceKind.SECRET: _secret_location,
    ResourceKind.PARAMETER: _parameter_location,
    ResourceKind.EVENT_BUS: _bus_location,
}
