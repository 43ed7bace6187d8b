"""Modules that each entry loads at start (design §10), in a fresh interpreter."""

import subprocess
import sys

import pytest

HEAVY = {
    "anthropic",
    "aws_cdk",
    "boto3",
    "jsonschema",
    "livekit",
    "moto",
    "openai",
    "rich",
    "tiktoken",
    "twilio",
    "typer",
}
ENTRIES = {
    "functions.inference.app": HEAVY,
    "functions.billing.sweep": HEAVY | {"fastapi", "starlette", "uvicorn"},
    "functions.billing.reconcile": HEAVY | {"fastapi", "starlette", "uvicorn"},
}


def loaded_by(entry: str) -> set[str]:
    """Top-level modules in a new process after importing `entry`."""
    script = f"import sys, {entry}; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return {name.partition(".")[0] for name in run.stdout.split()}


@pytest.mark.parametrize("entry", ENTRIES)
def test_entry_leaves_heavy_modules_for_later(entry: str) -> None:
    loaded = loaded_by(entry)
    assert "callmissed" in loaded
    assert loaded & ENTRIES[entry] == set()
