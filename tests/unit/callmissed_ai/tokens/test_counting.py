"""Our own count reads texts in pieces, and no more of them than is paid for."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callmissed_ai.tokens import counting
from tests.support.inference.tokenizer import Tokenizer

texts = st.text(st.characters(exclude_categories=["Cs"]))


@given(st.lists(texts, max_size=5), st.integers(0, 50))
def test_count_is_that_of_the_lines_up_to_the_limit(lines: list[str], limit: int) -> None:
    whole = counting.count_text("\n".join(lines))

    assert counting.count_texts(lines) == whole
    assert counting.count_texts(lines, limit) == min(whole, limit)


@given(texts)
def test_text_has_no_more_tokens_than_bytes_in_any_number_of_pieces(text: str) -> None:
    many = text * 2_000

    assert counting.count_text(many) <= len(many.encode())
    assert counting.estimate_texts([many]) <= len(many.encode())


@pytest.mark.parametrize("text", ["hello there ", "a", "漢字", "!", " ", "x\n"])
def test_splitting_changes_a_count_by_little(text: str) -> None:
    many = text * 20_000

    assert counting.count_text(many) == pytest.approx(len(counting.encoding().encode_ordinary(many)), rel=0.02)


def test_nothing_is_read_beyond_the_limit(tokenizer: Tokenizer) -> None:
    def endless() -> Iterator[str]:
        while True:
            yield "hello there " * 100

    assert counting.count_texts(endless(), 10_000) == 10_000
    assert tokenizer.characters < 100_000


def test_pieces_are_bounded_however_the_text_is_cut(tokenizer: Tokenizer) -> None:
    counting.count_texts(["a" * 1_000_000, *["b"] * 100_000, "c" * 50_000])

    assert max(tokenizer.pieces) <= 16_384
    assert len(tokenizer.pieces) < 100


def test_estimate_reads_the_beginning_alone(tokenizer: Tokenizer) -> None:
    estimated = counting.estimate_texts(["hello there " * 300_000])

    assert tokenizer.characters <= 2 * 65_536
    assert 300_000 < estimated < 1_200_000
