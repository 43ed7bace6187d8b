"""Long bodies in S3, as moto plays it."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx2
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
    monkeypatch.setattr(bucket, "_use", lambda _name, _work: release.wait(10))

    with pytest.raises(BucketUnavailable, match="too long"):
        await bucket.find("record/owner")
    release.set()


async def test_url_shows_the_body_by_its_type(settings: CoreSettings) -> None:
    bucket = Bucket(settings, RESPONSES_BUCKET)
    await bucket.keep("tnt/key/image.png", b"the image", "image/png")

    url = await bucket.url("tnt/key/image.png", "image/png", 60)

    async with httpx2.AsyncClient(trust_env=False) as visitor:
        shown = await visitor.get(url)
    assert (shown.content, shown.headers["content-type"]) == (b"the image", "image/png")
    assert shown.headers["content-disposition"] == "inline"


async def test_url_names_the_region_and_lasts_as_long_as_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"ACCESS_KEY_ID": "AKID", "SECRET_ACCESS_KEY": "secret"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    bucket = Bucket(CoreSettings(region="ap-south-1", responses_bucket="answers/mine"), RESPONSES_BUCKET)

    url = await bucket.url("a b.png", "image/png", 60)

    assert url.startswith("https://answers.s3.ap-south-1.amazonaws.com/mine/a%20b.png?")
    assert "X-Amz-Expires=60" in url
    assert "X-Amz-Algorithm=AWS4-HMAC-SHA256" in url


async def test_without_a_bucket_there_is_no_url() -> None:
    with pytest.raises(BucketUnavailable, match="CALLMISSED_RESPONSES_BUCKET is not set"):
        await Bucket(CoreSettings(), RESPONSES_BUCKET).url("image.png", "image/png", 60)
