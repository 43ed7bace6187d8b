"""boto3 clients for what is not on the hot path."""

from typing import TYPE_CHECKING, Any, Literal, overload

import boto3
from botocore.config import Config

from callmissed.settings import CoreSettings

if TYPE_CHECKING:
    from types_boto3_events import EventBridgeClient
    from types_boto3_s3 import S3Client
    from types_boto3_sqs import SQSClient

_PATIENCE = Config(connect_timeout=2, read_timeout=8, retries={"mode": "standard", "total_max_attempts": 3})
"""Functions live for half a minute; botocore's own timeouts are a minute each."""


@overload
def client(service: Literal["sqs"], settings: CoreSettings) -> "SQSClient": ...
@overload
def client(service: Literal["events"], settings: CoreSettings) -> "EventBridgeClient": ...
@overload
def client(service: Literal["s3"], settings: CoreSettings) -> "S3Client": ...
def client(service: str, settings: CoreSettings) -> Any:
    """A new client for `service`, at the desk's stand-in for AWS where there is one."""
    where = {"region_name": settings.region, "endpoint_url": settings.aws_endpoint}
    return boto3.client(service, config=_PATIENCE, **where)  # pyright: ignore
