"""The programs of `examples`, with a test key."""

import asyncio
import runpy

import pytest

from callmissed.keys.secret import Mode
from local.paths import ROOT
from tests.support.inference.gateway import Accounts, ServedGateway

PRINTED = {
    "search": "docs.sandbox.example/webhooks",
    "embeddings": "Refunds are paid",
    "images": "A lighthouse at dusk",
    "transcription": "of the stored file:\n\n1\n00:00:00,000 -->",
    "speech": "audio/mpeg",
}


@pytest.mark.parametrize("name", PRINTED)
async def test_example_runs(
    gateway: ServedGateway,
    accounts: Accounts,
    name: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    tester = await accounts.account(mode=Mode.TEST)
    monkeypatch.setattr("sys.argv", [name])
    monkeypatch.setenv("OPENAI_BASE_URL", f"{gateway.url}/v1")
    monkeypatch.setenv("OPENAI_API_KEY", tester.secret)

    await asyncio.to_thread(runpy.run_path, str(ROOT / "examples" / f"{name}.py"), run_name="__main__")

    assert PRINTED[name] in capsys.readouterr().out
