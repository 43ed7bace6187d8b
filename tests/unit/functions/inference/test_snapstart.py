"""What is in the process when Lambda takes its snapshot."""

from pathlib import Path
from typing import Any

import pytest
from starlette.responses import Response
from starlette.testclient import TestClient

from callmissed.catalog.model import CatalogError
from callmissed.settings import from_environment
from functions.inference import app as inference
from functions.inference.snapstart import AFTER_RESTORE, BEFORE_SNAPSHOT, HEALTH, LateApp


class BuildCounter:
    """Counts how often the application was made."""

    times = 0

    def __call__(self) -> Any:
        self.times += 1
        return Response("made")


@pytest.mark.parametrize("path", [HEALTH, BEFORE_SNAPSHOT])
def test_nothing_is_made_before_the_snapshot(path: str) -> None:
    making = BuildCounter()
    with TestClient(LateApp(making, early=False)) as client:
        assert client.post(path).text == "ok"
    assert making.times == 0


def test_the_restore_makes_it_once() -> None:
    making = BuildCounter()
    with TestClient(LateApp(making, early=False)) as client:
        assert client.post(AFTER_RESTORE).text == "ok"
        assert making.times == 1
        assert client.get("/v1/models").text == "made"
    assert making.times == 1


def test_a_request_makes_it_where_no_hook_came() -> None:
    making = BuildCounter()
    with TestClient(LateApp(making, early=False)) as client:
        assert client.get("/v1/models").text == "made"
    assert making.times == 1


def test_without_snapshots_the_life_span_reaches_it() -> None:
    seen: list[str] = []

    async def inner(scope: Any, _receive: Any, send: Any) -> None:
        seen.append(scope["type"])
        await send({"type": "lifespan.startup.complete"})
        await send({"type": "lifespan.shutdown.complete"})

    with TestClient(LateApp(lambda: inner, early=True)):
        assert seen == ["lifespan"]


@pytest.mark.parametrize(("kind", "snapshotted"), [("snap-start", True), ("on-demand", False), ("", False)])
def test_lambda_reports_whether_it_takes_snapshots(kind: str, snapshotted: bool) -> None:
    assert from_environment({"AWS_LAMBDA_INITIALIZATION_TYPE": kind}).snapshotted is snapshotted


@pytest.mark.parametrize("kind", ["snap-start", "on-demand"])
def test_a_wrong_providers_file_stops_the_start(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that it fails the deployment: a snapshotted process would only meet it at its first call."""
    wrong = tmp_path / "providers.toml"
    wrong.write_text("[[models]]\nid = 5\n")
    monkeypatch.setenv("AWS_LAMBDA_INITIALIZATION_TYPE", kind)
    monkeypatch.setenv("CALLMISSED_PROVIDERS_FILE", str(wrong))
    monkeypatch.setenv("CALLMISSED_PEPPERS", "00" * 32)

    with pytest.raises(CatalogError, match=r"providers\.toml"), TestClient(inference.__getattr__("app")):
        pass
