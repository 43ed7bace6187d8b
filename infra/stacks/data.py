"""What outlives every deployment: tables, the peppers, the providers' keys and the providers file."""

from aws_cdk import RemovalPolicy, SecretValue, Stack
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_ssm as ssm
from constructs import Construct

from callmissed.platform import names
from callmissed.platform.tables import TABLES, Table, physical_name
from infra.config import StageConfig
from infra.constructs.checks import accept
from infra.constructs.stores import Stores

_NO_PROVIDERS = "# Your own providers and models go here.\n"


class DataStack(Stack):
    """`stores`: the tables, and the three places that operators write to."""

    def __init__(self, scope: Construct, config: StageConfig) -> None:
        super().__init__(
            scope,
            "data",
            stack_name=config.named("data"),
            env=config.environment,
            description="CallMissed: tables, secrets, providers file",
            termination_protection=True,
        )
        self.stores = Stores(
            tables={declared.name: _table(self, declared, config.stage) for declared in TABLES},
            peppers=_pepper_secret(self, config.stage),
            provider_keys=_provider_keys_secret(self, config.stage),
            providers=_providers_parameter(self, config.stage),
        )


def _table(scope: Construct, declared: Table, stage: str) -> dynamodb.Table:
    return dynamodb.Table(
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


def _key(name: str) -> dynamodb.Attribute:
    return dynamodb.Attribute(name=name, type=dynamodb.AttributeType.STRING)


def _pepper_secret(scope: Construct, stage: str) -> secretsmanager.Secret:
    """A secret that starts as one random pepper: 32 bytes in hex."""
    secret = secretsmanager.Secret(
        scope,
        "Peppers",
        secret_name=names.pepper_secret(stage),
        description="Peppers of the API keys: hex, comma-separated, the current one first",
        generate_secret_string=secretsmanager.SecretStringGenerator(
            password_length=64,
            exclude_characters="ghijklmnopqrstuvwxyz",
            exclude_uppercase=True,
            exclude_punctuation=True,
        ),
        removal_policy=RemovalPolicy.RETAIN,
    )
    accept(secret, "Rotated by hand: the old pepper stays live until the keys have moved over.", "AwsSolutions-SMG4")
    return secret


def _provider_keys_secret(scope: Construct, stage: str) -> secretsmanager.Secret:
    secret = secretsmanager.Secret(
        scope,
        "ProviderKeys",
        secret_name=names.provider_keys_secret(stage),
        description="API keys of upstream providers: a JSON object by environment variable name",
        secret_string_value=SecretValue.unsafe_plain_text("{}"),
        removal_policy=RemovalPolicy.RETAIN,
    )
    accept(secret, "The providers issue these keys; the operator replaces them.", "AwsSolutions-SMG4")
    return secret


def _providers_parameter(scope: Construct, stage: str) -> ssm.StringParameter:
    return ssm.StringParameter(
        scope,
        "Providers",
        parameter_name=names.providers_parameter(stage),
        description="The providers file (TOML)",
        string_value=_NO_PROVIDERS,
        tier=ssm.ParameterTier.INTELLIGENT_TIERING,
    )
