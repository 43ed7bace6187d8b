"""AWS Secrets Manager, read once at start."""

from typing import TYPE_CHECKING

import boto3

if TYPE_CHECKING:
    from types_boto3_secretsmanager import SecretsManagerClient


def read_secret(arn: str, region: str) -> str:
    """The secret's current text. Raises botocore.exceptions.ClientError."""
    client: SecretsManagerClient = boto3.client("secretsmanager", region_name=region)  # pyright: ignore[reportUnknownMemberType]
    return client.get_secret_value(SecretId=arn)["SecretString"]
