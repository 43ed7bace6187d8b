"""Bodies that are too long for a DynamoDB item, in S3 until the bucket's lifecycle removes them.

Callers get an object by a presigned URL: https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-presigned-url.html
"""

import asyncio
from collections.abc import Awaitable
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol, TypedDict, TypeVar

from callmissed.observability import LoggableError, failure_name
from callmissed.platform.resources import Resource
from callmissed.settings import CoreSettings

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

T = TypeVar("T")


MAX_S3_SECONDS = 10.0
"""Time for storing or reading one body. A call that waits longer would be cut by API Gateway."""


class LongBodies(Protocol):
    """A store of long bodies. A name is written once."""

    async def keep(self, name: str, body: bytes) -> None:
        """Keep `body`. Raises BucketUnavailable."""
        ...

    async def find(self, name: str) -> bytes:
        """The body that was kept. Raises BucketUnavailable."""
        ...

    async def remove(self, name: str) -> None:
        """Delete the body, if it exists. Raises BucketUnavailable."""
        ...


class BucketUnavailable(LoggableError):
    """The bucket did not do what it was asked, or not in time."""


class ObjectPlace(TypedDict):
    """Where S3 has a body."""

    Bucket: str
    Key: str


class ObjectType(TypedDict, total=False):
    """How S3 describes a body to those who read it."""

    ContentType: str


class Bucket:
    """The process's part of the bucket `declared`, below its prefix. boto3 is imported with the first body."""

    def __init__(self, settings: CoreSettings, declared: Resource) -> None:
        self._settings = settings
        self._variable = declared.variable
        self._where: str = getattr(settings, declared.setting or "")
        self._client: S3Client | None = None
        self._signer: S3Client | None = None

    async def keep(self, name: str, body: bytes, media_type: str = "") -> None:
        """As `LongBodies.keep`; a URL of the body shows its `media_type`."""
        await _in_time(asyncio.to_thread(self._put, name, body, media_type))

    async def find(self, name: str) -> bytes:
        """As `LongBodies.find`."""
        return await _in_time(asyncio.to_thread(self._get, name))

    async def remove(self, name: str) -> None:
        """As `LongBodies.remove`."""
        await _in_time(asyncio.to_thread(self._delete, name))

    async def url(self, name: str, media_type: str, seconds: int) -> str:
        """A URL by which anyone may read the object for so many seconds. Raises BucketUnavailable."""
        return await _in_time(asyncio.to_thread(self._sign, name, media_type, seconds))

    def _put(self, name: str, body: bytes, media_type: str) -> None:
        from botocore.exceptions import BotoCoreError, ClientError

        typed: ObjectType = {"ContentType": media_type} if media_type else {}
        try:
            self._s3().put_object(**self._place(name), **typed, Body=body)
        except (BotoCoreError, ClientError, RuntimeError) as error:  # that of credentials that stay expired
            raise BucketUnavailable(failure_name(error)) from error

    def _get(self, name: str) -> bytes:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            return self._s3().get_object(**self._place(name))["Body"].read()
        except (BotoCoreError, ClientError, RuntimeError) as error:  # that of credentials that stay expired
            raise BucketUnavailable(failure_name(error)) from error

    def _delete(self, name: str) -> None:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            self._s3().delete_object(**self._place(name))
        except (BotoCoreError, ClientError, RuntimeError) as error:  # that of credentials that stay expired
            raise BucketUnavailable(failure_name(error)) from error

    def _sign(self, name: str, media_type: str, seconds: int) -> str:
        from botocore.exceptions import BotoCoreError, ClientError

        shown = {"ResponseContentType": media_type, "ResponseContentDisposition": "inline"}
        try:
            signer = self._s3_of_region()
            return signer.generate_presigned_url("get_object", {**self._place(name), **shown}, ExpiresIn=seconds)
        except (BotoCoreError, ClientError, RuntimeError) as error:  # that of credentials that stay expired
            raise BucketUnavailable(failure_name(error)) from error

    def _place(self, name: str) -> "ObjectPlace":
        if not self._where:
            raise BucketUnavailable(f"{self._variable} is not set")
        bucket, slash, prefix = self._where.partition("/")
        return {"Bucket": bucket, "Key": f"{prefix}{slash}{name}"}

    def _s3(self) -> "S3Client":
        if self._client is None:
            from callmissed.aws.clients import client

            self._client = client("s3", self._settings)
        return self._client

    def _s3_of_region(self) -> "S3Client":
        """A client whose URLs name the region: a new bucket's name leads elsewhere at first, and the host is signed."""
        if self._signer is None:
            from callmissed.aws.clients import client

            settings = self._settings
            endpoint = settings.aws_endpoint or f"https://s3.{settings.region}.amazonaws.com"
            self._signer = client("s3", replace(settings, aws_endpoint=endpoint))
        return self._signer


async def _in_time(work: Awaitable[T]) -> T:
    try:
        async with asyncio.timeout(MAX_S3_SECONDS):
            return await work
    except TimeoutError as error:
        raise BucketUnavailable("S3 took too long") from error
