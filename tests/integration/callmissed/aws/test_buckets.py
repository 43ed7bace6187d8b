"""Long bodies in S3, as moto plays it."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from callmissed.aws import buckets as buckets_module
from callmissed.aws.buckets import Bucket, BucketUnavailable
from callmissed.aws.clients import client
from callmissed.platform.resources import RESPONSES_BUCKET
from callmissed.settings import CoreSettings
from local.aws.engines import moto_server


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CoreSettings]:
    folder: Path = tmp_path_factory.mktemp("moto")
    with moto_server(folder / "moto.log") as endpoint:
        settings = CoreSettings(region="us-east-1", aws_endpoint=endpoint, responses_bucket="long-answers")
        client("s3", settings).create_bucket(Bucket="long-answers")
        yield settings


async def test_what_is_kept_is_found(settings: CoreSettings) -> None:
    body = bytes(range(256)) * 2000

    await Bucket(settings, RESPONSES_BUCKET).keep("record/owner", body)

    assert await Bucket(settings, RESPONSES_BUCKET).find("record/owner") == body


async def test_what_was_never_kept_is_unavailable(settings: CoreSettings) -> None:
    with pytest.raises(BucketUnavailable):
        await Bucket(settings, RESPONSES_BUCKET).find("record/nobody")


@pytest.mark.parametrize("name", ["", "no-such-bucket"])
async def test_a_bucket_that_is_not_there_takes_nothing(settings: CoreSettings, name: str) -> None:
    bucket = Bucket(replace(settings, responses_bucket=name), RESPONSES_BUCKET)

    with pytest.raises(BucketUnavailable):
        await bucket.keep("record/owner", b"body")


async def test_what_is_removed_is_gone_and_may_be_removed_again(settings: CoreSettings) -> None:
    bucket = Bucket(settings, RESPONSES_BUCKET)
    await bucket.keep("record/removed", b"body")

    await bucket.remove("record/removed")
    await bucket.remove("record/removed")

    with pytest.raises(BucketUnavailable):
        await bucket.find("record/removed")


async def test_a_bucket_that_is_not_there_removes_nothing(settings: CoreSettings) -> None:
    bucket = Bucket(replace(settings, responses_bucket="no-such-bucket"), RESPONSES_BUCKET)

    with pytest.raises(BucketUnavailable):
        await bucket.remove("record/owner")


async def test_one_client_serves_all_answers_of_a_process(settings: CoreSettings) -> None:
    bucket = Bucket(settings, RESPONSES_BUCKET)

    await bucket.keep("record/first", b"first")
    await bucket.keep("record/second", b"second")

    assert (await bucket.find("record/first"), await bucket.find("record/second")) == (b"first", b"second")


async def test_functions_keep_their_answers_below_prefixes_of_their_own(settings: CoreSettings) -> None:
    mine, other = (
        Bucket(replace(settings, responses_bucket=f"long-answers/{name}"), RESPONSES_BUCKET)
        for name in ("mine", "other")
    )

    await mine.keep("record/owner", b"mine")

    assert await mine.find("record/owner") == b"mine"
    with pytest.raises(BucketUnavailable):
        await other.find("record/owner")
    stored = client("s3", settings).list_objects_v2(Bucket="long-answers", Prefix="mine/").get("Contents", [])
    assert [each.get("Key") for each in stored] == ["mine/record/owner"]


async def test_storage_that_does_not_answer_is_unavailable(
    settings: CoreSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(buckets_module, "MAX_S3_SECONDS", 0.01)
    release = threading.Event()
    bucket = Bucket(settings, RESPONSES_BUCKET)
    monkeypatch.setattr(bucket, "_get", lambda _name: release.wait(10))

    with pytest.raises(BucketUnavailable, match="too long"):
        await bucket.find("record/owner")
    release.set()
