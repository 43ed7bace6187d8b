"""Bodies that are too long for a DynamoDB item, in S3 until the bucket's lifecycle removes them.

Callers get an object by a presigned URL: https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-presigned-url.html
"""

import asyncio
from collections.abc import Awaitable, Callable
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

    async def keep(self, name: str, body: bytes, media_type: str = "") -> None:
        """As `LongBodies.keep`; a URL of the body shows its `media_type`."""
        typed: ObjectType = {"ContentType": media_type} if media_type else {}
        await self.use(name, lambda s3, place: s3.put_object(**place, **typed, Body=body))

    async def find(self, name: str) -> bytes:
        """As `LongBodies.find`."""
        return await self.use(name, lambda s3, place: s3.get_object(**place)["Body"].read())

    async def remove(self, name: str) -> None:
        """As `LongBodies.remove`."""
        await self.use(name, lambda s3, place: s3.delete_object(**place))

    async def url(self, name: str, media_type: str, seconds: int, disposition: str = "inline") -> str:
        """A URL by which anyone may read the object for so many seconds. Raises BucketUnavailable."""
        shown = {"ResponseContentType": media_type, "ResponseContentDisposition": disposition}
        return await self.use(
            name, lambda s3, place: s3.generate_presigned_url("get_object", {**place, **shown}, ExpiresIn=seconds)
        )

    async def use(self, name: str, work: "Callable[[S3Client, ObjectPlace], T]") -> T:
        """Result of `work`, in a thread, on the object `name`. Raises BucketUnavailable for what botocore raises."""
        return await _in_time(asyncio.to_thread(self._use, name, work))

    def _use(self, name: str, work: "Callable[[S3Client, ObjectPlace], T]") -> T:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            return work(self._s3(), self._place(name))
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
