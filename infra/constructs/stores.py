"""Tables and resources, and each function's permissions for exactly what it declares."""

from collections.abc import Mapping
from dataclasses import dataclass

from aws_cdk import Aws
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam

from callmissed.platform.functions import Function
from callmissed.platform.resources import Resource
from callmissed.platform.tables import TABLES
from infra.config import StageConfig
from infra.constructs.checks import accept
from infra.constructs.locations import Location
from infra.constructs.permissions import allow

_DECLARED = {table.name: table for table in TABLES}
_INDEX_ACTIONS = ("dynamodb:Query", "dynamodb:Scan")
"""All that an index can be asked for; writing goes through its table."""


@dataclass(frozen=True, slots=True)
class Stores:
    """Tables by declared name, and where the resources are."""

    tables: Mapping[str, dynamodb.Table]
    locations: Mapping[Resource, Location]


def environment(declared: Function, locations: Mapping[Resource, Location], config: StageConfig) -> dict[str, str]:
    """The environment variables that `declared`'s settings read."""
    variables = {
        "CALLMISSED_STAGE": config.stage,
        "POWERTOOLS_LOG_LEVEL": config.log_level,
        # Powertools adds it to every metric as the dimension `service`, which keeps stages of one account apart.
        "POWERTOOLS_SERVICE_NAME": config.service,
    }
    if config.revision and any(resource.read_at_start for resource in declared.needs):
        variables["CALLMISSED_REVISION"] = config.revision
    return variables | {need.variable: locations[need].value for need in declared.needs if need.variable}


def grant(role: iam.Role, declared: Function, stores: Stores) -> None:
    """Allow `role` the declared actions on the exact tables and resources."""
    for name, actions in declared.tables.items():
        _grant_table(role, name, actions, stores.tables[name])
    for resource in declared.needs:
        _grant_resource(role, resource, stores.locations[resource])


def _grant_table(role: iam.Role, name: str, actions: tuple[str, ...], table: dynamodb.Table) -> None:
    allow(role, table.table_arn, *actions)
    index, reading = _DECLARED[name].index, [action for action in actions if action in _INDEX_ACTIONS]
    if index and reading:
        allow(role, f"{table.table_arn}/index/{index.name}", *reading)


def _grant_resource(role: iam.Role, resource: Resource, location: Location) -> None:
    allow(role, location.arn, *(location.actions or resource.actions))
    if location.arn.endswith("/*"):
        finding = location.arn.replace(Aws.PARTITION, "<AWS::Partition>").replace(Aws.ACCOUNT_ID, "<AWS::AccountId>")
        accept(role, "Which objects there are depends on what callers ask.", f"AwsSolutions-IAM5[Resource::{finding}]")
