"""boto3 clients for services off the hot path."""

import threading
from collections.abc import Iterable
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal, Protocol, overload

import boto3
from botocore.config import Config
from botocore.credentials import Credentials

from callmissed.settings import CoreSettings

if TYPE_CHECKING:
    from types_boto3_events import EventBridgeClient
    from types_boto3_lambda import LambdaClient
    from types_boto3_s3 import S3Client
    from types_boto3_sqs import SQSClient

_PATIENCE = Config(connect_timeout=2, read_timeout=8, retries={"mode": "standard", "total_max_attempts": 3})
"""Functions live for half a minute; botocore's own timeouts are a minute each."""

_REGIONAL = _PATIENCE.merge(Config(signature_version="s3v4", s3={"addressing_style": "virtual"}))
"""S3's own: signed URLs name the bucket's region, because the global name redirects, which breaks an upload."""

_USED_LATER = ("encodings.idna",)
"""Modules that a client imports with its first request."""

_one_at_a_time = threading.Lock()  # the session of `boto3.client` is not thread-safe


class SesClient(Protocol):
    """The part of SES's client (v2) that is used; it has no typed package here."""

    exceptions: Any

    def send_email(self, **request: Any) -> Any:
        """https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html"""
        ...


class SsmClient(Protocol):
    """The part of Systems Manager's client that is used; it has no typed package here."""

    def put_parameter(self, **request: Any) -> Any:
        """https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_PutParameter.html"""
        ...


@overload
def client(service: Literal["sqs"], settings: CoreSettings, credentials: Credentials | None = None) -> "SQSClient": ...
@overload
def client(
    service: Literal["events"], settings: CoreSettings, credentials: Credentials | None = None
) -> "EventBridgeClient": ...
@overload
def client(
    service: Literal["lambda"], settings: CoreSettings, credentials: Credentials | None = None
) -> "LambdaClient": ...
@overload
def client(service: Literal["sesv2"], settings: CoreSettings, credentials: Credentials | None = None) -> SesClient: ...
@overload
def client(service: Literal["ssm"], settings: CoreSettings, credentials: Credentials | None = None) -> SsmClient: ...
@overload
def client(service: Literal["s3"], settings: CoreSettings, credentials: Credentials | None = None) -> "S3Client": ...
def client(service: str, settings: CoreSettings, credentials: Credentials | None = None) -> Any:
    """A new client for `service`, at the local stack's stand-in for AWS where there is one.

    `credentials` are used instead of those that boto3 finds.
    """
    given = credentials and {
        "aws_access_key_id": credentials.access_key,
        "aws_secret_access_key": credentials.secret_key,
        "aws_session_token": credentials.token,
    }
    config = _REGIONAL if service == "s3" and not settings.aws_endpoint else _PATIENCE
    where = {"region_name": settings.region, "endpoint_url": settings.aws_endpoint, **(given or {})}
    with _one_at_a_time:
        return boto3.client(service, config=config, **where)  # pyright: ignore


def warm_up(services: Iterable[str]) -> None:
    """Make the next clients of `services` cheap: boto3's session keeps their models.

    The session keeps no credentials afterwards: those made up here are the clients' own, which are dropped.
    """
    for name in _USED_LATER:
        import_module(name)
    made_up = {"aws_access_key_id": "none", "aws_secret_access_key": "none", "region_name": CoreSettings().region}
    with _one_at_a_time:
        boto3.setup_default_session()
        for service in services:
            boto3.client(service, **made_up)  # pyright: ignore
