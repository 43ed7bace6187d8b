"""What outlives every deployment: tables, secrets, the providers file, the bucket of long answers."""

from aws_cdk import Stack
from aws_cdk import aws_dynamodb as dynamodb
from constructs import Construct

from callmissed.platform.resources import RESOURCES
from callmissed.platform.tables import Table, physical_name
from infra.config import StageConfig
from infra.constructs.removal import KEEP
from infra.constructs.resources import BUILDERS
from infra.declarations import Declarations


class DataStack(Stack):
    """`streams`: by the table's name, the ARNs of the streams."""

    def __init__(self, scope: Construct, config: StageConfig, declared: Declarations) -> None:
        super().__init__(
            scope,
            "data",
            stack_name=config.named("data"),
            env=config.environment,
            description="CallMissed: tables, secrets, providers file, long answers",
            termination_protection=True,
        )
        # The file's parameter exists also where an object is used.
        kept = [each for each in RESOURCES if not each.from_operator]
        resources = [build(self, each, config) for each in kept if (build := BUILDERS.get(each.kind))]
        tables = {table.name: _table(self, table, config.stage) for table in declared.tables}
        for table in tables.values():
            # CloudFormation can't take back a table that is protected from deletion, so what may fail comes first.
            table.node.add_dependency(*resources)
        self.streams = {name: table.table_stream_arn for name, table in tables.items() if table.table_stream_arn}


def _table(scope: Construct, declared: Table, stage: str) -> dynamodb.Table:
    table = dynamodb.Table(
        scope,
        f"Table-{declared.name}",
        table_name=physical_name(stage, declared),
        partition_key=_key(declared.partition_key),
        sort_key=_key(declared.sort_key) if declared.sort_key else None,
        billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
        encryption=dynamodb.TableEncryption.DEFAULT,  # a key that AWS owns: encrypted, and no calls to KMS to pay
        point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
            point_in_time_recovery_enabled=True
        ),
        deletion_protection=True,
        removal_policy=KEEP,
        stream=dynamodb.StreamViewType.NEW_IMAGE if declared.stream else None,
        time_to_live_attribute=declared.ttl_attribute,
    )
    for index in declared.indexes:
        table.add_global_secondary_index(
            index_name=index.name,
            partition_key=_key(index.partition_key),
            sort_key=_key(index.sort_key),
            projection_type=dynamodb.ProjectionType.INCLUDE if index.shows else dynamodb.ProjectionType.KEYS_ONLY,
            non_key_attributes=list(index.shows) or None,
        )
    return table


def _key(name: str) -> dynamodb.Attribute:
    return dynamodb.Attribute(name=name, type=dynamodb.AttributeType.STRING)
