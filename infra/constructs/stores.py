"""Where functions keep and find things, and each function's right to exactly its share of them."""

from collections.abc import Mapping
from dataclasses import dataclass

from aws_cdk import Stack
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_ssm as ssm

from callmissed.platform.functions import Function
from infra.config import StageConfig


@dataclass(frozen=True, slots=True)
class Stores:
    """Tables by declared name, secrets, and the providers file."""

    tables: Mapping[str, dynamodb.Table]
    peppers: secretsmanager.Secret
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
    if config.revision and (declared.reads_pepper or declared.reads_providers):
        variables["CALLMISSED_REVISION"] = config.revision
    if declared.reads_pepper:
        variables["CALLMISSED_PEPPER_SECRET_ARN"] = stores.peppers.secret_arn
    if declared.reads_providers:
        variables["CALLMISSED_PROVIDER_KEYS_SECRET_ARN"] = stores.provider_keys.secret_arn
        variables["CALLMISSED_PROVIDERS_FILE"] = config.providers_object or f"ssm:{stores.providers.parameter_name}"
    return variables


def grant(role: iam.Role, declared: Function, stores: Stores, config: StageConfig) -> None:
    """Allow `role` what `declared` says it does, on the exact resources and nothing else."""
    for table, actions in declared.tables.items():
        _allow(role, stores.tables[table].table_arn, *actions)
    if declared.reads_pepper:
        _allow(role, stores.peppers.secret_arn, "secretsmanager:GetSecretValue")
    if declared.reads_providers:
        _allow(role, stores.provider_keys.secret_arn, "secretsmanager:GetSecretValue")
        _allow(role, *_providers_file(stores, config))


def _providers_file(stores: Stores, config: StageConfig) -> tuple[str, str]:
    if config.providers_object:
        object_path = config.providers_object.removeprefix("s3://")
        return f"arn:{Stack.of(stores.providers).partition}:s3:::{object_path}", "s3:GetObject"
    return stores.providers.parameter_arn, "ssm:GetParameter"


def _allow(role: iam.Role, resource: str, *actions: str) -> None:
    role.add_to_policy(iam.PolicyStatement(actions=list(actions), resources=[resource]))
