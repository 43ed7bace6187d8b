"""Answers to a batch of an event source mapping."""

from typing import Any

import pytest

from local.lambda_runtime.events import failed_items


@pytest.mark.parametrize(
    ("answer", "failed"),
    [
        (None, set[str]()),
        ({}, set[str]()),
        ({"batchItemFailures": None}, set[str]()),
        ({"batchItemFailures": [{"itemIdentifier": "b"}]}, {"b"}),
        ({"batchItemFailures": [{"itemIdentifier": "else"}]}, {"a", "b"}),
        ({"batchItemFailures": [{"itemIdentifier": ""}]}, {"a", "b"}),
        ({"batchItemFailures": [{"id": "b"}]}, {"a", "b"}),
        ({"batchItemFailures": 1}, {"a", "b"}),
        ("nonsense", {"a", "b"}),
    ],
)
def test_an_answer_that_means_nothing_fails_the_batch(answer: Any, failed: set[str]) -> None:
    assert failed_items(answer, ["a", "b"]) == failed
