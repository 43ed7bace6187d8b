"""The search for a Java that runs DynamoDB Local."""

from pathlib import Path

import pytest

from local.aws.java import find_java
from local.errors import JavaMissingError


@pytest.mark.parametrize("banner", ['openjdk version "11.0.2" 2019-01-15', 'java version "1.8.0_402"', "nonsense"])
def test_an_old_java_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, banner: str) -> None:
    java = tmp_path / "java"
    java.write_text(f"#!/bin/sh\necho '{banner}' >&2\n")
    java.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(JavaMissingError, match="Java >= 17"):
        find_java()


def test_no_java_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(JavaMissingError, match="not on PATH"):
        find_java()
