"""The memory of keys is bounded."""

import pytest

from callmissed.keys import admission


def test_oldest_key_goes_when_the_memory_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admission, "MAX_REMEMBERED", 2)
    kept: dict[str, int] = {}

    for number, key_hash in enumerate(["a", "b", "a", "c"]):
        admission.remember(kept, key_hash, number)

    assert kept == {"b": 1, "c": 3}
