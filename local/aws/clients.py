"""boto3 clients for the engines."""

from typing import TYPE_CHECKING, Any, Literal, overload

from local.aws.account import REGION

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_dynamodbstreams import DynamoDBStreamsClient
    from types_boto3_events import EventBridgeClient
    from types_boto3_s3 import S3Client
    from types_boto3_sqs import SQSClient


@overload
def local_client(service: Literal["dynamodb"], endpoint: str) -> "DynamoDBClient": ...
@overload
def local_client(service: Literal["dynamodbstreams"], endpoint: str) -> "DynamoDBStreamsClient": ...
@overload
def local_client(service: Literal["events"], endpoint: str) -> "EventBridgeClient": ...
@overload
def local_client(service: Literal["s3"], endpoint: str) -> "S3Client": ...
@overload
def local_client(service: Literal["sqs"], endpoint: str) -> "SQSClient": ...
def local_client(service: str, endpoint: str) -> Any:
    """A boto3 client for a local `endpoint`, which accepts any credentials."""
    import boto3  # takes half a second, which the local stack spends while the engines start
    from botocore.config import Config

    return boto3.client(  # pyright: ignore  boto3's overloads take literal names
        service,  # pyright: ignore[reportArgumentType]
        # With account-based endpoints moto would not know its own streams.
        config=Config(proxies={}, account_id_endpoint_mode="disabled"),
        endpoint_url=endpoint,
        region_name=REGION,
        aws_access_key_id="local",
        aws_secret_access_key="local",  # noqa: S106  an emulator's, which checks nothing
    )
