"""The sandbox's search: over its own pages, by the words in them."""

import json
from typing import Any

import pytest

from callmissed_ai.providers.sandbox.media.search import pages, search_body


def found(query: str, **fields: Any) -> list[dict[str, Any]]:
    return json.loads(search_body({"query": query, **fields}))["results"]


@pytest.mark.parametrize(
    ("query", "title"),
    [
        ("voice agents", "Voice agents"),
        ("how is a webhook signed", "Webhooks"),
        ("what costs a credit", "Credits"),
        ("Hindi and Tamil speech", "Indian languages"),
        ("retry with Idempotency-Key", "Idempotency"),
    ],
)
def test_page_with_the_words_comes_first(query: str, title: str) -> None:
    assert found(query)[0]["title"] == title


def test_scores_fall_and_every_page_is_found_by_its_title() -> None:
    scores = [result["score"] for result in found("key of a call")]
    assert scores == sorted(scores, reverse=True)
    for page in pages():
        assert page.url in [result["url"] for result in found(page.title)]
    assert len({page.url for page in pages()}) == len(pages()) >= 40


def test_fields_of_a_search_are_honoured() -> None:
    assert len(found("a call", num_results=2)) == 2
    assert {result["url"].split("/")[2] for result in found("a call", include_domains=["api.sandbox.example"])} == {
        "api.sandbox.example"
    }
    assert found("a call", exclude_domains=["sandbox.example"]) == []
    dated = found("a", start_published_date="2026-06-03", end_published_date="2026-06-04", num_results=50)
    assert {result["published_date"] for result in dated} == {"2026-06-03", "2026-06-04"}
    assert found("voice")[0]["content"] is None
    assert found("voice", include_content=True)[0]["content"].startswith("A voice agent listens")


def test_words_that_no_page_has_find_nothing() -> None:
    assert found("zzz qqq") == []
