"""The text in the terminal when the stack answers."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from local.stack.banner import LiveModels, show_banner
from local.state.folder import Announcement

SECRET = "cm_live_" + "s" * 46
ANNOUNCEMENT = Announcement(
    base_url="http://127.0.0.1:8000",
    live_key=SECRET,
    test_key="cm_test_" + "t" * 46,
    tenant_id="tnt_1",
    endpoints={"dynamodb": "http://127.0.0.1:2", "aws": "http://127.0.0.1:3"},
)


@pytest.mark.parametrize("width", [40, 80, 200])
def test_a_key_is_never_cut(width: int) -> None:
    console = Console(file=io.StringIO(), width=width)

    show_banner(console, ANNOUNCEMENT, Path("state"), LiveModels(["sandbox"], 70))

    panel = console.file.getvalue().split("curl")[0]  # pyright: ignore[reportAttributeAccessIssue]  it is a StringIO
    assert SECRET in "".join(panel.replace("live key", "").replace("│", "").split())
    assert "…" not in panel.replace("S3, …", "")


def test_no_webhook_is_made_whose_secret_the_reader_must_keep() -> None:
    console = Console(file=io.StringIO(), width=80)

    show_banner(console, ANNOUNCEMENT, Path("a state"), LiveModels(["sandbox"], 70))

    shown = console.file.getvalue()  # pyright: ignore[reportAttributeAccessIssue]  it is a StringIO
    assert ".venv/bin/callmissed webhooks listen --state 'a state'" in shown
    assert "/api/v1/webhooks" not in shown


def test_many_models_are_counted() -> None:
    ids = [f"model-{number}" for number in range(45)]

    text = LiveModels(ids, 70).text

    assert text.startswith(
        "model-0, model-1, model-2, model-3, model-4, model-5, model-6, model-7 and 37 more\n25 others lack"
    )
