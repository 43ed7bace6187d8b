"""boto3 clients for what is not on the hot path."""

from typing import TYPE_CHECKING, Any, Literal, overload

import boto3

from callmissed.settings import CoreSettings

if TYPE_CHECKING:
    from types_boto3_events import EventBridgeClient
    from types_boto3_s3 import S3Client
    from types_boto3_sqs import SQSClient


@overload
def client(service: Literal["sqs"], settings: CoreSettings) -> "SQSClient": ...
@overload
def client(service: Literal["events"], settings: CoreSettings) -> "EventBridgeClient": ...
@overload
def client(service: Literal["s3"], settings: CoreSettings) -> "S3Client": ...
def client(service: str, settings: CoreSettings) -> Any:
    """A new client for `service`, at the desk's stand-in for AWS where there is one."""
    return boto3.client(service, region_name=settings.region, endpoint_url=settings.aws_endpoint)  # pyright: ignore
