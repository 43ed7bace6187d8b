"""The bytes of files, in S3. An object's name is in its file's record; nothing else names it.

BucketUnavailable     S3 did not answer, or refused
└─ ObjectMissing      there is no such object, or not with these bytes. S3 says that reading is denied for what does
                      not exist, to a role that may not list the bucket
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

from callmissed.aws.buckets import Bucket, BucketUnavailable, ObjectPlace
from callmissed.observability import failure_code

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

CONTENT_TYPE = "application/octet-stream"
"""Type of every object: what bytes are is found out where they are used, and no browser should show them."""

LINK_SECONDS = 300
_MISSING = frozenset({"403", "404", "412", "AccessDenied", "InvalidRange", "NoSuchKey", "PreconditionFailed"})
T = TypeVar("T")


class ObjectMissing(BucketUnavailable):
    """There is no object of that name, or it has other bytes by now."""


@dataclass(frozen=True, slots=True)
class FileObject:
    """What S3 says of an object."""

    size: int
    etag: str


@dataclass(frozen=True, slots=True)
class UploadForm:
    """A form that uploads one object: POST `fields` and then the file, as multipart form data, to `url`."""

    url: str
    fields: Mapping[str, str]


class FileStorage(Protocol):
    """Where the bytes of files are. Every method raises BucketUnavailable."""

    async def put(self, name: str, body: bytes) -> str:
        """Store the object; returns its etag."""
        ...

    async def head(self, name: str) -> FileObject | None:
        """The object, if it exists."""
        ...

    async def read(self, name: str, etag: str, start: int, end: int) -> bytes:
        """The object's bytes from `start` up to `end`. Raises ObjectMissing."""
        ...

    async def remove(self, name: str) -> None:
        """Delete the object, if it exists."""
        ...

    async def form(self, name: str, size: int, seconds: int) -> UploadForm:
        """A form for exactly `size` bytes under exactly this name."""
        ...

    async def link(self, name: str, disposition: str) -> str:
        """A URL that reads the object for LINK_SECONDS, as an attachment."""
        ...


class S3Files:
    """`FileStorage` in a bucket."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket

    async def put(self, name: str, body: bytes) -> str:
        """As `FileStorage.put`."""
        return await self._bucket.use(
            name, lambda s3, place: s3.put_object(**place, Body=body, ContentType=CONTENT_TYPE)["ETag"]
        )

    async def head(self, name: str) -> FileObject | None:
        """As `FileStorage.head`."""

        def found(s3: "S3Client", place: ObjectPlace) -> FileObject:
            answer = s3.head_object(**place)
            return FileObject(answer["ContentLength"], answer["ETag"])

        try:
            return await self._existing(name, found)
        except ObjectMissing:
            return None

    async def read(self, name: str, etag: str, start: int, end: int) -> bytes:
        """As `FileStorage.read`."""

        def part(s3: "S3Client", place: ObjectPlace) -> bytes:
            return s3.get_object(**place, IfMatch=etag, Range=f"bytes={start}-{end - 1}")["Body"].read()

        return await self._existing(name, part)

    async def remove(self, name: str) -> None:
        """As `FileStorage.remove`."""
        await self._bucket.remove(name)

    async def form(self, name: str, size: int, seconds: int) -> UploadForm:
        """As `FileStorage.form`."""

        def signed(s3: "S3Client", place: ObjectPlace) -> UploadForm:
            form = s3.generate_presigned_post(
                **place,
                Fields={"Content-Type": CONTENT_TYPE},
                Conditions=[{"Content-Type": CONTENT_TYPE}, ["content-length-range", size, size]],
                ExpiresIn=seconds,
            )
            return UploadForm(form["url"], form["fields"])

        return await self._bucket.use(name, signed)

    async def link(self, name: str, disposition: str) -> str:
        """As `FileStorage.link`."""
        return await self._bucket.url(name, CONTENT_TYPE, LINK_SECONDS, disposition)

    async def _existing(self, name: str, work: "Callable[[S3Client, ObjectPlace], T]") -> T:
        try:
            return await self._bucket.use(name, work)
        except BucketUnavailable as error:
            if error.__cause__ and failure_code(error.__cause__) in _MISSING:
                raise ObjectMissing(str(error)) from error
            raise
