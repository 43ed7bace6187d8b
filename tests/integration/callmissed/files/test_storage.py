"""The bytes of files in S3, as moto plays it."""

from collections.abc import Iterator

import httpx2
import pytest

from callmissed.aws.buckets import Bucket, BucketUnavailable
from callmissed.aws.clients import client
from callmissed.files.storage import ObjectMissing, S3Files
from callmissed.ids import new_id
from callmissed.platform.resources import FILES_BUCKET
from callmissed.settings import CoreSettings

NAME = "tnt_1/live/file-1"


@pytest.fixture(scope="module")
def storage(aws_endpoint: str) -> Iterator[S3Files]:
    bucket = new_id("files").replace("_", "-")
    settings = CoreSettings(region="us-east-1", aws_endpoint=aws_endpoint, files_bucket=f"{bucket}/files")
    client("s3", settings).create_bucket(Bucket=bucket)
    yield S3Files(Bucket(settings, FILES_BUCKET))


async def test_object_is_stored_and_read_in_parts(storage: S3Files) -> None:
    etag = await storage.put(NAME, b"abcdef")

    found = await storage.head(NAME)
    assert found and (found.size, found.etag) == (6, etag)
    assert await storage.read(NAME, etag, 2, 4) == b"cd"
    assert await storage.read(NAME, etag, 4, 6) == b"ef"


async def test_object_with_other_bytes_is_missing(storage: S3Files) -> None:
    etag = await storage.put(NAME, b"abc")
    await storage.put(NAME, b"ABC")

    with pytest.raises(ObjectMissing):
        await storage.read(NAME, etag, 0, 3)


async def test_removed_object_is_missing(storage: S3Files) -> None:
    etag = await storage.put(NAME, b"abc")
    await storage.remove(NAME)
    await storage.remove(NAME)

    assert await storage.head(NAME) is None
    with pytest.raises(ObjectMissing):
        await storage.read(NAME, etag, 0, 3)


async def test_form_uploads_the_object(storage: S3Files) -> None:
    form = await storage.form("tnt_1/live/file-2", 3, 60)

    async with httpx2.AsyncClient(trust_env=False) as http:
        answer = await http.post(form.url, data=dict(form.fields), files={"file": ("a.txt", b"abc")})

    assert answer.status_code in (200, 204)
    found = await storage.head("tnt_1/live/file-2")
    assert found and found.size == 3


async def test_link_reads_the_object_as_an_attachment(storage: S3Files) -> None:
    await storage.put(NAME, b"abc")

    link = await storage.link(NAME, "attachment; filename=\"a.txt\"; filename*=UTF-8''a.txt")

    async with httpx2.AsyncClient(trust_env=False) as http:
        answer = await http.get(link)
    assert answer.content == b"abc"
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"].startswith("attachment;")


async def test_bucket_that_is_not_there_is_an_outage(aws_endpoint: str) -> None:
    settings = CoreSettings(region="us-east-1", aws_endpoint=aws_endpoint, files_bucket="no-such-bucket/files")

    with pytest.raises(BucketUnavailable) as failed:
        await S3Files(Bucket(settings, FILES_BUCKET)).put(NAME, b"abc")
    assert not isinstance(failed.value, ObjectMissing)


def test_signed_urls_name_the_region_where_there_is_no_stand_in() -> None:
    s3 = client("s3", CoreSettings(region="ap-south-1"))

    form = s3.generate_presigned_post("bucket", "files/a", Conditions=[["content-length-range", 3, 3]])
    link = s3.generate_presigned_url("get_object", {"Bucket": "bucket", "Key": "files/a"})

    assert form["url"] == "https://bucket.s3.ap-south-1.amazonaws.com/"
    assert link.startswith("https://bucket.s3.ap-south-1.amazonaws.com/files/a?X-Amz-Algorithm=AWS4-HMAC-SHA256")
