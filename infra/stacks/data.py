"""What outlives every deployment: tables, secrets, the providers file, the bucket of long answers."""

from aws_cdk import RemovalPolicy, Stack
from aws_cdk import aws_dynamodb as dynamodb
from constructs import Construct

from callmissed.platform.resources import PROVIDERS_FILE, RESOURCES, Resource
from callmissed.platform.tables import TABLES, Table, physical_name
from infra.config import StageConfig
from infra.constructs.locations import Location, object_location
from infra.constructs.resources import BUILDERS
from infra.constructs.stores import Stores


class DataStack(Stack):
    """`stores`: the tables, and where the resources are."""

    def __init__(self, scope: Construct, config: StageConfig) -> None:
        super().__init__(
            scope,
            "data",
            stack_name=config.named("data"),
            env=config.environment,
            description="CallMissed: tables, secrets, providers file, long answers",
            termination_protection=True,
        )
        tables = {declared.name: _table(self, declared, config.stage) for declared in TABLES}
        self.stores = Stores(tables, _locations(self, config))


def _locations(scope: Construct, config: StageConfig) -> dict[Resource, Location]:
    """Build every resource that outlives deployments. The file's parameter exists also where an object is used."""
    built = {each: BUILDERS[each.kind](scope, each, config) for each in RESOURCES if each.kind in BUILDERS}
    return built | ({PROVIDERS_FILE: object_location(config.providers_object)} if config.providers_object else {})


def _table(scope: Construct, declared: Table, stage: str) -> dynamodb.Table:
    table = dynamodb.Table(
        scope,
        f"Table-{declared.name}",
        table_name=physical_name(stage, declared),
        partition_key=_key(declared.partition_key),
        sort_key=_key(declared.sort_key) if declared.sort_key else None,
        billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
        encryption=dynamodb.TableEncryption.AWS_MANAGED,
        point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
            point_in_time_recovery_enabled=True
        ),
        deletion_protection=True,
        removal_policy=RemovalPolicy.RETAIN,
        stream=dynamodb.StreamViewType.NEW_IMAGE if declared.stream else None,
        time_to_live_attribute=declared.ttl_attribute,
    )
    if declared.index:
        table.add_global_secondary_index(
            index_name=declared.index.name,
            partition_key=_key(declared.index.partition_key),
            sort_key=_key(declared.index.sort_key),
            projection_type=dynamodb.ProjectionType.INCLUDE,
            non_key_attributes=list(declared.index.shows),
        )
    return table


def _key(name: str) -> dynamodb.Attribute:
    return dynamodb.Attribute(name=name, type=dynamodb.AttributeType.STRING)
