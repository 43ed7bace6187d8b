"""Answers that are too long for a DynamoDB item: they are stored in S3 until the bucket's lifecycle removes them."""

import asyncio
from collections.abc import Awaitable
from typing import TYPE_CHECKING, Protocol, TypedDict, TypeVar

from callmissed.observability import LoggableError, failure_name
from callmissed.settings import CoreSettings

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

T = TypeVar("T")


MAX_S3_SECONDS = 10.0
"""Time for storing or reading one answer. A call that waits longer would be cut by API Gateway."""


class LongAnswers(Protocol):
    """A store of long answers. A name is written once."""

    async def keep(self, name: str, body: bytes) -> None:
        """Keep `body`. Raises AnswersUnavailable."""
        ...

    async def find(self, name: str) -> bytes:
        """The body that was kept. Raises AnswersUnavailable."""
        ...


class AnswersUnavailable(LoggableError):
    """The bucket did not store the answer, or did not return it."""


class AnswerPlace(TypedDict):
    """Where S3 has an answer."""

    Bucket: str
    Key: str


class S3Answers:
    """Long answers in `settings.responses_bucket`, below its prefix. boto3 is imported with the first answer."""

    def __init__(self, settings: CoreSettings) -> None:
        self._settings = settings
        self._client: S3Client | None = None

    async def keep(self, name: str, body: bytes) -> None:
        """As `LongAnswers.keep`."""
        await _in_time(asyncio.to_thread(self._put, name, body))

    async def find(self, name: str) -> bytes:
        """As `LongAnswers.find`."""
        return await _in_time(asyncio.to_thread(self._get, name))

    def _put(self, name: str, body: bytes) -> None:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            self._s3().put_object(**self._place(name), Body=body)
        except (BotoCoreError, ClientError) as error:
            raise AnswersUnavailable(failure_name(error)) from error

    def _get(self, name: str) -> bytes:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            return self._s3().get_object(**self._place(name))["Body"].read()
        except (BotoCoreError, ClientError) as error:
            raise AnswersUnavailable(failure_name(error)) from error

    def _place(self, name: str) -> "AnswerPlace":
        if not self._settings.responses_bucket:
            raise AnswersUnavailable("CALLMISSED_RESPONSES_BUCKET is not set")
        bucket, slash, prefix = self._settings.responses_bucket.partition("/")
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
        raise AnswersUnavailable("S3 took too long") from error
