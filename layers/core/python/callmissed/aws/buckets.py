"""Bodies that are too long for a DynamoDB item, in S3 until the bucket's lifecycle removes them."""

import asyncio
from collections.abc import Awaitable
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


class Bucket:
    """The process's part of the bucket `declared`, below its prefix. boto3 is imported with the first body."""

    def __init__(self, settings: CoreSettings, declared: Resource) -> None:
        self._settings = settings
        self._variable = declared.variable
        self._where: str = getattr(settings, declared.setting or "")
        self._client: S3Client | None = None

    async def keep(self, name: str, body: bytes) -> None:
        """As `LongBodies.keep`."""
        await _in_time(asyncio.to_thread(self._put, name, body))

    async def find(self, name: str) -> bytes:
        """As `LongBodies.find`."""
        return await _in_time(asyncio.to_thread(self._get, name))

    async def remove(self, name: str) -> None:
        """As `LongBodies.remove`."""
        await _in_time(asyncio.to_thread(self._delete, name))

    def _put(self, name: str, body: bytes) -> None:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            self._s3().put_object(**self._place(name), Body=body)
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


async def _in_time(work: Awaitable[T]) -> T:
    try:
        async with asyncio.timeout(MAX_S3_SECONDS):
            return await work
    except TimeoutError as error:
        raise BucketUnavailable("S3 took too long") from error
