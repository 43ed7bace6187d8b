"""What the load generator reads from an answer."""

import pytest

from bench.fake_upstream import WORDS, blocking_body, stream_events
from bench.load import Job, WrongAnswerError, check_answer, server_timing


def job(*, stream: bool) -> Job:
    return Job("http://127.0.0.1:1/v1", {}, "fake-chat", stream, 1, 1)


@pytest.mark.parametrize(
    ("header", "durations"),
    [
        ("", {}),
        ("db;dur=3.25, upstream;dur=10", {"db": 3.25, "upstream": 10.0}),
        ('cache;desc="hit", db;desc="DynamoDB";dur=1.5', {"db": 1.5}),
    ],
)
def test_server_timing_is_read_by_metric(header: str, durations: dict[str, float]):
    assert server_timing(header) == durations


def test_the_upstreams_own_answers_pass():
    check_answer(job(stream=False), 200, blocking_body())
    check_answer(job(stream=True), 200, b"".join(stream_events(with_usage=True)))


@pytest.mark.parametrize(
    ("stream", "status", "body"),
    [
        (False, 500, blocking_body()),
        (False, 200, blocking_body().replace(WORDS[7].encode(), b"")),
        (True, 200, b"".join(stream_events(with_usage=False)[:-1])),
    ],
)
def test_an_error_a_lost_word_and_a_cut_stream_do_not_pass(stream: bool, status: int, body: bytes):
    with pytest.raises(WrongAnswerError):
        check_answer(job(stream=stream), status, body)


def test_a_stream_has_24_words_a_finish_usage_only_if_asked_and_an_end():
    assert len(stream_events(with_usage=False)) == 24 + 1 + 1
    assert len(stream_events(with_usage=True)) == 24 + 1 + 1 + 1
