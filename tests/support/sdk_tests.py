"""openai-python's own tests against the local stack: python -m tests.support.sdk_tests.

They come from the source distribution of the version that is installed, and are not kept in the repository.
"""

import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

from local.paths import ROOT
from tests.support.audio_files import FILES
from tests.support.clients import PROGRAMS
from tests.support.local_stack import running

GUARD_SECONDS = 900
FOLDER = Path("tests", "api_resources")
MODULES: Sequence[str] = (
    "test_embeddings.py",
    "audio/test_speech.py",
    "audio/test_transcriptions.py",
    "audio/test_translations.py",
    "test_images.py",
    "test_files.py",
)


@dataclass(frozen=True, slots=True)
class SdkTests:
    """What the tests did: how many passed by module, which failed, and how many were left out for each reason."""

    version: str
    passed: Mapping[str, int]
    failed: Sequence[str]
    left_out: Mapping[str, int]


def run_sdk_tests(base_url: str, key: str) -> SdkTests:
    """Run the tests of the installed SDK against the API at `base_url`, with a test key."""
    number = version("openai")
    with TemporaryDirectory() as name:
        tests = _unpacked(number, Path(name))
        outcomes = Path(name, "outcomes.json")
        (tests / FOLDER / "conftest.py").write_text((PROGRAMS / "openai_tests_conftest.py").read_text())
        environment = {
            **os.environ,
            "TEST_API_BASE_URL": base_url,
            "TEST_API_KEY": key,
            "TEST_RECORDING": str(FILES / "opus.ogg"),
            "TEST_OUTCOMES": str(outcomes),
        }
        command = [sys.executable, "-m", "pytest", "-q", "--tb=short", "-o", "addopts=", "-p", "no:cacheprovider"]
        modules = [str(FOLDER / module) for module in MODULES]
        subprocess.run([*command, *modules], cwd=tests, env=environment, timeout=GUARD_SECONDS, check=False)
        return SdkTests(number, **json.loads(outcomes.read_text()))


def _unpacked(number: str, folder: Path) -> Path:
    """The source distribution's tests, in `folder`."""
    pip = [str(ROOT / ".tools" / "bin" / "python"), "-m", "pip", "--quiet", "--disable-pip-version-check"]
    asked = ["download", "--no-deps", "--no-binary=openai", f"--dest={folder}", f"openai=={number}"]
    subprocess.run([*pip, *asked], timeout=GUARD_SECONDS, check=True)
    root = f"openai-{number}"
    with tarfile.open(folder / f"{root}.tar.gz") as archive:
        wanted = [each for each in archive if each.name.startswith((f"{root}/tests/", f"{root}/pyproject.toml"))]
        archive.extractall(folder, wanted, filter="data")
    return folder / root


def main() -> None:
    """Run the tests against a stack of their own; fails as they do."""
    with TemporaryDirectory() as name, running(Path(name, "state"), Path(name, "output.txt")) as stack:
        announced = stack.announcement
        found = run_sdk_tests(f"{announced['base_url']}/v1", announced["test_key"])
    print(json.dumps({"passed": found.passed, "left out": found.left_out}, indent=2))
    sys.exit(bool(found.failed) or not found.passed)


if __name__ == "__main__":
    main()
