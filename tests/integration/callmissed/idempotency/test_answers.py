"""Long answers in S3, as moto plays it."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from callmissed.aws.clients import client
from callmissed.idempotency import answers as answers_module
from callmissed.idempotency.answers import AnswersUnavailable, S3Answers
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

    await S3Answers(settings).keep("record/owner", body)

    assert await S3Answers(settings).find("record/owner") == body


async def test_what_was_never_kept_is_unavailable(settings: CoreSettings) -> None:
    with pytest.raises(AnswersUnavailable):
        await S3Answers(settings).find("record/nobody")


@pytest.mark.parametrize("bucket", ["", "no-such-bucket"])
async def test_a_bucket_that_is_not_there_takes_nothing(settings: CoreSettings, bucket: str) -> None:
    answers = S3Answers(replace(settings, responses_bucket=bucket))

    with pytest.raises(AnswersUnavailable):
        await answers.keep("record/owner", b"body")


async def test_one_client_serves_all_answers_of_a_process(settings: CoreSettings) -> None:
    answers = S3Answers(settings)

    await answers.keep("record/first", b"first")
    await answers.keep("record/second", b"second")

    assert (await answers.find("record/first"), await answers.find("record/second")) == (b"first", b"second")


async def test_functions_keep_their_answers_below_prefixes_of_their_own(settings: CoreSettings) -> None:
    mine, other = (S3Answers(replace(settings, responses_bucket=f"long-answers/{name}")) for name in ("mine", "other"))

    await mine.keep("record/owner", b"mine")

    assert await mine.find("record/owner") == b"mine"
    with pytest.raises(AnswersUnavailable):
        await other.find("record/owner")
    stored = client("s3", settings).list_objects_v2(Bucket="long-answers", Prefix="mine/").get("Contents", [])
    assert [each.get("Key") for each in stored] == ["mine/record/owner"]


async def test_storage_that_does_not_answer_is_unavailable(
    settings: CoreSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answers_module, "MAX_S3_SECONDS", 0.01)
    release = threading.Event()
    answers = S3Answers(settings)
    monkeypatch.setattr(answers, "_get", lambda _name: release.wait(10))

    with pytest.raises(AnswersUnavailable, match="too long"):
        await answers.find("record/owner")
    release.set()
