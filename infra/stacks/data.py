"""What outlives every deployment: tables, secrets, the providers file, the bucket of long answers."""

from aws_cdk import Duration, RemovalPolicy, SecretValue, Stack
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_ssm as ssm
from constructs import Construct

from callmissed.platform.resources import (
    PEPPERS,
    PROVIDER_KEYS,
    PROVIDERS_FILE,
    RESPONSES_BUCKET,
    SEALING_KEYS,
    Resource,
)
from callmissed.platform.tables import TABLES, Table, physical_name
from infra.config import StageConfig
from infra.constructs.checks import accept
from infra.constructs.locations import (
    Location,
    bucket_location,
    bucket_name,
    object_location,
    parameter_location,
    secret_location,
)
from infra.constructs.stores import Stores

_NO_PROVIDERS = "# Your own providers and models go here.\n"


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
    """Build every resource that outlives deployments."""
    return {
        PEPPERS: _peppers(scope, config.stage),
        SEALING_KEYS: _sealing_keys(scope, config.stage),
        PROVIDER_KEYS: _provider_keys(scope, config.stage),
        PROVIDERS_FILE: _providers_file(scope, config),
        RESPONSES_BUCKET: _responses_bucket(scope, config),
    }


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


def _peppers(scope: Construct, stage: str) -> Location:
    secret = _random_secret(
        scope,
        "Peppers",
        PEPPERS.physical_name(stage),
        "Peppers of the API keys: hex, comma-separated, the current one first",
    )
    accept(secret, "Rotated by hand: the old pepper stays live until the keys have moved over.", "AwsSolutions-SMG4")
    return secret_location(secret)


def _sealing_keys(scope: Construct, stage: str) -> Location:
    secret = _random_secret(
        scope,
        "SealingKeys",
        SEALING_KEYS.physical_name(stage),
        "Keys that seal webhooks' secrets: hex, comma-separated, the current one first",
    )
    accept(secret, "Rotated by hand: the old key stays live for what it has sealed.", "AwsSolutions-SMG4")
    return secret_location(secret)


def _random_secret(scope: Construct, construct_id: str, name: str, description: str) -> secretsmanager.Secret:
    """A secret that starts as one random key: 32 bytes in hex."""
    return secretsmanager.Secret(
        scope,
        construct_id,
        secret_name=name,
        description=description,
        generate_secret_string=secretsmanager.SecretStringGenerator(
            password_length=64,
            exclude_characters="ghijklmnopqrstuvwxyz",
            exclude_uppercase=True,
            exclude_punctuation=True,
        ),
        removal_policy=RemovalPolicy.RETAIN,
    )


def _provider_keys(scope: Construct, stage: str) -> Location:
    secret = secretsmanager.Secret(
        scope,
        "ProviderKeys",
        secret_name=PROVIDER_KEYS.physical_name(stage),
        description="API keys of upstream providers: a JSON object by environment variable name",
        secret_string_value=SecretValue.unsafe_plain_text("{}"),
        removal_policy=RemovalPolicy.RETAIN,
    )
    accept(secret, "The providers issue these keys; the operator replaces them.", "AwsSolutions-SMG4")
    return secret_location(secret)


def _providers_file(scope: Construct, config: StageConfig) -> Location:
    """The parameter exists also where the stage uses an object instead."""
    parameter = ssm.StringParameter(
        scope,
        "Providers",
        parameter_name=PROVIDERS_FILE.physical_name(config.stage),
        description="The providers file (TOML)",
        string_value=_NO_PROVIDERS,
        tier=ssm.ParameterTier.INTELLIGENT_TIERING,
    )
    return object_location(config.providers_object) if config.providers_object else parameter_location(parameter)


def _responses_bucket(scope: Construct, config: StageConfig) -> Location:
    """Answers are replayed for 24 hours; S3 expires by whole days, so the second one covers all of them."""
    bucket = s3.Bucket(
        scope,
        "Responses",
        bucket_name=bucket_name(RESPONSES_BUCKET, config),
        encryption=s3.BucketEncryption.S3_MANAGED,
        block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
        object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
        enforce_ssl=True,
        lifecycle_rules=[
            s3.LifecycleRule(expiration=Duration.days(2), abort_incomplete_multipart_upload_after=Duration.days(1))
        ],
        removal_policy=RemovalPolicy.RETAIN,
    )
    accept(bucket, "Only functions reach it, which log what they do; nothing stays for long.", "AwsSolutions-S1")
    return bucket_location(RESPONSES_BUCKET, config)
