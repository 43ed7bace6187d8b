"""AWS Secrets Manager, read once at start."""

import boto3


def read_secret(arn: str, region: str) -> str:
    """The secret's current text. Raises botocore.exceptions.ClientError."""
    return boto3.client("secretsmanager", region_name=region).get_secret_value(SecretId=arn)["SecretString"]
