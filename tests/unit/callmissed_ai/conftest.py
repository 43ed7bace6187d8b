"""The tokenizer, watched."""

import pytest

from callmissed_ai.tokens import counting
from tests.support.inference.tokenizer import Tokenizer


@pytest.fixture
def tokenizer(monkeypatch: pytest.MonkeyPatch) -> Tokenizer:
    """The tokenizer, which keeps what it is given to read."""
    watched = Tokenizer(counting.encoding())
    monkeypatch.setattr(counting, "encoding", lambda: watched)
    return watched
