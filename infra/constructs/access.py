"""Each function's permissions for exactly what it declares, and the environment variables by which it finds that."""

from aws_cdk import Aws
from aws_cdk import aws_iam as iam

from callmissed.platform.functions import BEDROCK_MODELS_VARIABLE, Function
from callmissed.platform.resources import Resource
from callmissed.platform.tables import TABLES, Table
from callmissed.settings import variable_of
from infra.config import StageConfig
from infra.constructs.checks import accept
from infra.constructs.locations import Location, location, queue_arn, table_arn

_DECLARED = {table.name: table for table in TABLES}


def environment(declared: Function, config: StageConfig) -> dict[str, str]:
    """The environment variables that `declared`'s settings read."""
    variables = {
        "CALLMISSED_STAGE": config.stage,
        "POWERTOOLS_LOG_LEVEL": config.log_level,
        # Powertools adds it to every metric as the dimension `service`, which keeps stages of one account apart.
        "POWERTOOLS_SERVICE_NAME": config.service,
    }
    if config.revision and any(resource.read_at_start for resource in declared.needs):
        variables["CALLMISSED_REVISION"] = config.revision
    if declared.sends_to:
        variables["CALLMISSED_QUEUE_BASE"] = f"https://sqs.{config.region}.{Aws.URL_SUFFIX}/{Aws.ACCOUNT_ID}"
    if declared.model_actions and config.bedrock_models:
        variables[BEDROCK_MODELS_VARIABLE] = " ".join(config.bedrock_models)
    for setting in declared.settings:
        variables[variable_of(setting)] = str(getattr(config, setting))
    needs = filter(config.has, declared.needs)
    found = {need.variable: location(need, config, declared).value for need in needs if need.variable}
    return variables | found


def allow(role: iam.Role, resource: str, *actions: str) -> None:
    """Let `role` do `actions` on the resource of that ARN."""
    role.add_to_policy(iam.PolicyStatement(actions=list(actions), resources=[resource]))


def grant(role: iam.Role, declared: Function, config: StageConfig) -> None:
    """Allow `role` the declared actions on the exact tables, indexes, resources and queues."""
    for name, actions in declared.tables.items():
        allow(role, table_arn(_DECLARED[name], config), *actions)
    for name, actions in declared.indexes.items():
        for arn in _index_arns(_DECLARED[name], config):
            allow(role, arn, *actions)
    for resource in filter(config.has, declared.needs):
        _grant_resource(role, resource, location(resource, config, declared), writes=resource in declared.writes)
    for queue in declared.sends_to:
        allow(role, queue_arn(queue, config), "sqs:SendMessage")


def _index_arns(table: Table, config: StageConfig) -> list[str]:
    if not table.indexes:
        raise ValueError(f"the table '{table.name}' has no index")
    return [f"{table_arn(table, config)}/index/{index.name}" for index in table.indexes]


def _grant_resource(role: iam.Role, resource: Resource, where: Location, *, writes: bool) -> None:
    """Allow `role` the actions of `resource`; where a stage keeps it in another service, functions only read it."""
    more = resource.write_actions if writes else ()
    allow(role, where.arn, *(where.actions or (*resource.actions, *more)))
    if where.arn.endswith("/*"):
        finding = where.arn.replace(Aws.PARTITION, "<AWS::Partition>").replace(Aws.ACCOUNT_ID, "<AWS::AccountId>")
        accept(role, "Which objects there are depends on what callers ask.", f"AwsSolutions-IAM5[Resource::{finding}]")
