"""Declared resources that outlive deployments: one builder for each kind."""

from collections.abc import Callable, Mapping, Sequence

from aws_cdk import Duration, SecretValue
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_ssm as ssm
from constructs import Construct

from callmissed.platform.resources import Resource, ResourceKind
from infra.config import StageConfig
from infra.constructs.checks import accept
from infra.constructs.locations import bucket_name
from infra.constructs.removal import KEEP


def _secret(scope: Construct, declared: Resource, config: StageConfig) -> Construct:
    given = declared.content
    secret = secretsmanager.Secret(
        scope,
        _construct_id(declared),
        secret_name=declared.physical_name(config.stage),
        description=declared.holds,
        secret_string_value=None if given is None else SecretValue.unsafe_plain_text(given),
        generate_secret_string=_random_key() if given is None else None,
        removal_policy=KEEP,
    )
    if declared.rotation:
        accept(secret, declared.rotation, "AwsSolutions-SMG4")
    return secret


def _random_key() -> secretsmanager.SecretStringGenerator:
    """One random key: 32 bytes in hex."""
    return secretsmanager.SecretStringGenerator(
        password_length=64,
        exclude_characters="ghijklmnopqrstuvwxyz",
        exclude_uppercase=True,
        exclude_punctuation=True,
    )


def _parameter(scope: Construct, declared: Resource, config: StageConfig) -> Construct:
    return ssm.StringParameter(
        scope,
        _construct_id(declared),
        parameter_name=declared.physical_name(config.stage),
        description=declared.holds,
        string_value=declared.content or "",
        tier=ssm.ParameterTier.INTELLIGENT_TIERING,
    )


def _bucket(scope: Construct, declared: Resource, config: StageConfig) -> Construct:
    bucket = s3.Bucket(
        scope,
        _construct_id(declared),
        bucket_name=bucket_name(declared, config),
        encryption=s3.BucketEncryption.S3_MANAGED,
        block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
        object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
        enforce_ssl=True,
        lifecycle_rules=[_expiry(declared.expires_days)] if declared.expires_days else None,
        cors=[_pages(declared.page_methods)] if declared.page_methods else None,
        removal_policy=KEEP,
    )
    if declared.expires_days:
        accept(bucket, "Only functions reach it, which log what they do; nothing stays for long.", "AwsSolutions-S1")
    return bucket


def _expiry(days: int) -> s3.LifecycleRule:
    return s3.LifecycleRule(expiration=Duration.days(days), abort_incomplete_multipart_upload_after=Duration.days(1))


def _pages(methods: Sequence[str]) -> s3.CorsRule:
    return s3.CorsRule(allowed_origins=["*"], allowed_methods=[s3.HttpMethods[each] for each in methods], max_age=600)


def _construct_id(declared: Resource) -> str:
    """`SealingKeys` of `sealing-keys`."""
    return declared.name.title().replace("-", "")


BUILDERS: Mapping[ResourceKind, Callable[[Construct, Resource, StageConfig], Construct]] = {
    ResourceKind.SECRET: _secret,
    ResourceKind.PARAMETER: _parameter,
    ResourceKind.BUCKET: _bucket,
}
"""The event bus is not here: it goes with its stack."""
