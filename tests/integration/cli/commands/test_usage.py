"""`callmissed usage` on real tables."""

import json

import pytest

from tests.support.cli import CommandLine


def test_the_tail_shows_calls_newest_last(line: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    tenant = line.tenant(credits="100")
    calls = [line.settle(tenant, f"model-{n}", n) for n in range(1, 4)]

    result = line.run("usage", "tail", "--limit", "2", "--json", "--tenant", tenant)

    rows = [json.loads(text) for text in result.stdout.splitlines()]
    assert [row["id"] for row in rows] == [f"gen_{call}" for call in calls[1:]]
    row = {name: rows[-1][name] for name in ("model", "provider", "tokens_in", "tokens_out", "cost", "latency_ms")}
    assert row == {
        "model": "model-3",
        "provider": "lab",
        "tokens_in": 13,
        "tokens_out": 7,
        "cost": "0.000003",
        "latency_ms": 321,
    }
    narrow = line.run("usage", "tail", "--tenant", tenant).stdout.splitlines()
    assert narrow[0].split() == ["time", "model", "in", "out", "cost", "outcome", "ms"]
    assert max(map(len, narrow)) <= 80
    monkeypatch.setenv("COLUMNS", "200")
    table = line.run("usage", "tail", "--tenant", tenant).stdout.splitlines()
    assert table[0].split() == ["time", "model", "in", "out", "cost", "outcome", "ms", "id", "provider"]
    assert [text.split()[1] for text in table[1:]] == ["model-1", "model-2", "model-3"]
