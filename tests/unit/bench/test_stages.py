"""The benchmark of a call's stages in process."""

from bench.stages import CALLERS, rows


def test_each_dialect_has_its_stages_blocking_and_streamed() -> None:
    found = list(rows(rounds=1, calls=1))

    assert [row.call for row in found] == [f"{caller}, {kind}" for caller in CALLERS for kind in ("blocking", "stream")]
    assert {tuple(row.stages) for row in found} == {("parse", "prepared", "estimate", "request_for", "meter")}
    assert all(row.whole > 0 for row in found)
