"""Where functions keep and find things, and each function's right to exactly its share of them."""

from collections.abc import Mapping
from dataclasses import dataclass

from aws_cdk import Aws, Stack
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_ssm as ssm

from callmissed.platform import names
from callmissed.platform.functions import Function
from callmissed.platform.tables import TABLES
from infra.config import StageConfig
from infra.constructs.checks import accept
from infra.constructs.rights import allow

_DECLARED = {table.name: table for table in TABLES}
_INDEX_ACTIONS = ("dynamodb:Query", "dynamodb:Scan")
"""All that an index can be asked for; writing goes through its table."""


@dataclass(frozen=True, slots=True)
class Stores:
    """Tables by declared name, secrets, and the providers file."""

    tables: Mapping[str, dynamodb.Table]
    peppers: secretsmanager.Secret
    sealing_keys: secretsmanager.Secret
    provider_keys: secretsmanager.Secret
    providers: ssm.StringParameter


def environment(declared: Function, stores: Stores, config: StageConfig) -> dict[str, str]:
    """The environment variables that `declared`'s settings read."""
    variables = {
        "CALLMISSED_STAGE": config.stage,
        "POWERTOOLS_LOG_LEVEL": config.log_level,
        # Powertools adds it to every metric as the dimension `service`, which keeps stages of one account apart.
        "POWERTOOLS_SERVICE_NAME": config.service,
    }
    if config.revision and (declared.reads_pepper or declared.reads_providers or declared.unseals):
        variables["CALLMISSED_REVISION"] = config.revision
    if declared.reads_pepper:
        variables["CALLMISSED_PEPPER_SECRET_ARN"] = stores.peppers.secret_arn
    if declared.unseals:
        variables["CALLMISSED_SEALING_SECRET_ARN"] = stores.sealing_keys.secret_arn
    if declared.keeps_responses:
        variables["CALLMISSED_RESPONSES_BUCKET"] = responses_bucket(config)
    if declared.reads_providers:
        variables["CALLMISSED_PROVIDER_KEYS_SECRET_ARN"] = stores.provider_keys.secret_arn
        variables["CALLMISSED_PROVIDERS_FILE"] = config.providers_object or f"ssm:{stores.providers.parameter_name}"
    return variables


def responses_bucket(config: StageConfig) -> str:
    """Name of the bucket of answers too long for a table."""
    return names.responses_bucket(config.stage, Aws.ACCOUNT_ID, config.region)


def grant(role: iam.Role, declared: Function, stores: Stores, config: StageConfig) -> None:
    """Allow `role` what `declared` says it does, on the exact resources and nothing else."""
    _grant_tables(role, declared, stores)
    if declared.reads_pepper:
        allow(role, stores.peppers.secret_arn, "secretsmanager:GetSecretValue")
    if declared.unseals:
        allow(role, stores.sealing_keys.secret_arn, "secretsmanager:GetSecretValue")
    if declared.keeps_responses:
        _grant_responses(role, config)
    if declared.reads_providers:
        allow(role, stores.provider_keys.secret_arn, "secretsmanager:GetSecretValue")
        allow(role, *_providers_file(stores, config))


def _grant_tables(role: iam.Role, declared: Function, stores: Stores) -> None:
    for name, actions in declared.tables.items():
        table, index = stores.tables[name], _DECLARED[name].index
        allow(role, table.table_arn, *actions)
        reading = [action for action in actions if action in _INDEX_ACTIONS]
        if index and reading:
            allow(role, f"{table.table_arn}/index/{index.name}", *reading)


def _grant_responses(role: iam.Role, config: StageConfig) -> None:
    objects = f":s3:::{responses_bucket(config)}/*"
    allow(role, f"arn:{Aws.PARTITION}{objects}", "s3:GetObject", "s3:PutObject")
    finding = f"arn:<AWS::Partition>{objects.replace(Aws.ACCOUNT_ID, '<AWS::AccountId>')}"
    accept(role, "Which objects there are depends on what callers ask.", f"AwsSolutions-IAM5[Resource::{finding}]")


def _providers_file(stores: Stores, config: StageConfig) -> tuple[str, str]:
    if config.providers_object:
        object_path = config.providers_object.removeprefix("s3://")
        return f"arn:{Stack.of(stores.providers).partition}:s3:::{object_path}", "s3:GetObject"
    return stores.providers.parameter_arn, "ssm:GetParameter"
