"""`callmissed prices` on a stage whose providers file is a file."""

from pathlib import Path

import pytest

from callmissed.ids import new_id
from tests.support.cli import CommandLine

LAB = """
[providers.lab]
base_url = "http://127.0.0.1:9000/v1"

[[models]]
id = "MODEL"
provider = "lab"
upstream_id = "some-model"
input = 10
output = 20
context_window = 128000
"""


@pytest.fixture
def model() -> str:
    return new_id("lab")


@pytest.fixture
def file(tmp_path: Path, model: str) -> Path:
    """A file with one model."""
    file = tmp_path / "new.toml"
    file.write_text(LAB.replace("MODEL", model))
    return file


def test_preview_shows_models_and_prices(line: CommandLine, file: Path, model: str) -> None:
    preview = line.json("prices", "preview", str(file))

    assert {"model": model, "change": "added"}.items() <= preview["models"][-1].items()
    shown = line.run("prices", "preview", str(file)).output
    assert model in shown
    assert "1 added, " in shown


def test_import_needs_a_yes(line: CommandLine, file: Path, model: str) -> None:
    refused = line.run("prices", "import", str(file))

    assert refused.exit_code == 1
    assert model in refused.output
    assert line.json("prices", "import", str(file), "--yes")["imported"] is True
    assert line.json("prices", "import", str(file), "--yes")["imported"] is False


def test_what_is_wrong_in_the_file_is_said(line: CommandLine, file: Path, model: str) -> None:
    file.write_text(LAB.replace("input = 10", "input = -1").replace("MODEL", model))

    refused = line.run("prices", "preview", str(file))

    assert refused.exit_code == 1
    assert f"models row 1 ({model}): input: " in refused.output.replace("\n", " ")


@pytest.mark.parametrize("content", [None, b"\xff\xfe"], ids=["none", "bytes"])
def test_unreadable_file_is_said(line: CommandLine, tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "unreadable.toml"
    if content is not None:
        file.write_bytes(content)

    refused = line.run("prices", "preview", str(file))

    assert refused.exit_code == 1
    assert f"{file.name} can't be read: " in refused.output.replace("\n", "")
