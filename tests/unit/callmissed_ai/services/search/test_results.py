"""Results as callers get them: addresses that a browser opens, texts that are texts, numbers that are numbers."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callmissed_ai.dialects.json_reply import UnusableReply
from callmissed_ai.dialects.written_json import written_json
from callmissed_ai.services.search.results import found
from functions.inference.schemas.search import SearchResultOut
from tests.support.inference.any_json import anything

FIELDS = ("title", "url", "snippet", "content", "published_date", "score", "source")
urls = st.sampled_from(["https://a.example/x", "http://b.example", "javascript:alert(1)", "https://", "http://[", ""])


@given(
    st.lists(st.fixed_dictionaries({}, optional=dict.fromkeys(FIELDS, anything | urls)) | anything, max_size=3),
    st.integers(1, 5),
)
def test_any_rows_become_results_of_the_documented_shape(rows: list[Any], most: int) -> None:
    answer = found({"results": rows, "answer": rows, "images": rows}, most)

    assert len(answer["results"]) <= most
    assert (answer["answer"], answer["images"]) == (None, [])
    for result in answer["results"]:
        assert SearchResultOut.model_validate(result, strict=True)
        assert result["url"].startswith(("http://", "https://"))
    written_json(answer)


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "data:text/html,x", "ftp://a.example", "//a.example", "https:///x", "https://a b", 7]
)
def test_result_without_an_address_that_opens_is_left_out(url: Any) -> None:
    assert found({"results": [{"url": url}], "images": [url]}, 9) == {"results": [], "answer": None, "images": []}


def test_reply_without_results_is_of_no_use() -> None:
    with pytest.raises(UnusableReply):
        found({"results": "none"}, 1)
