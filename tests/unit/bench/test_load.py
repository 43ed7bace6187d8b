"""What the load generator reads from an answer."""

import pytest

from bench.dialects import CHAT, DIALECTS, WORDS, events, reply
from bench.load import Job, WrongAnswerError, check_answer, server_timing


def job(dialect: str = CHAT, *, stream: bool) -> Job:
    return Job("http://127.0.0.1:1/v1", {}, "fake-chat", stream, 1, 1, dialect)


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


@pytest.mark.parametrize("dialect", DIALECTS)
def test_the_upstreams_own_answers_pass(dialect: str):
    check_answer(job(dialect, stream=False), 200, reply(dialect))
    check_answer(job(dialect, stream=True), 200, b"".join(events(dialect)))


@pytest.mark.parametrize("dialect", DIALECTS)
def test_an_error_a_lost_word_and_a_cut_stream_do_not_pass(dialect: str):
    lost = reply(dialect).replace(WORDS[7].encode(), b"")
    for stream, status, body in [(False, 500, reply(dialect)), (False, 200, lost)]:
        with pytest.raises(WrongAnswerError):
            check_answer(job(dialect, stream=stream), status, body)
    with pytest.raises(WrongAnswerError):
        check_answer(job(dialect, stream=True), 200, b"".join(events(dialect)[:-1]))


def test_a_stream_has_24_words_a_finish_usage_only_if_asked_and_an_end():
    assert len(events(CHAT, with_usage=False)) == 24 + 1 + 1
    assert len(events(CHAT)) == 24 + 1 + 1 + 1
