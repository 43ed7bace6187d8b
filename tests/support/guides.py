"""The guides as a reader meets them: their blocks of code, and a folder in which they can be followed."""

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from local.paths import ROOT
from tests.support.local_stack import GUARD_SECONDS, LocalStack

_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def blocks(guide: str, language: str) -> list[str]:
    """The blocks of `guide`, such as `docs/webhooks.md`, in a language, in their order."""
    return [text for name, text in _BLOCK.findall((ROOT / guide).read_text()) if name == language]


@dataclass(frozen=True)
class Checkout:
    """A folder that looks like the repository beside a running `make dev`, in which a reader works."""

    folder: Path
    local_stack: LocalStack

    @classmethod
    def beside(cls, local_stack: LocalStack, folder: Path) -> "Checkout":
        """The checkout in `folder`."""
        for name in (".venv", "docs", "node_modules"):
            (folder / name).symlink_to(ROOT / name)
        (folder / ".callmissed").symlink_to(local_stack.state)
        return cls(folder, local_stack)

    @property
    def files(self) -> set[str]:
        """What lies in the folder."""
        return {path.name for path in self.folder.iterdir()}

    def run(self, *command: str, script: str = "", **variables: str) -> str:
        """Standard output of a program that must succeed."""
        path = f"{ROOT / '.venv' / 'bin'}:{os.environ['PATH']}"
        environment = {"PATH": path, "HOME": str(self.folder), "LANG": "C.UTF-8", "NO_PROXY": "*", **variables}
        done = subprocess.run(
            command,
            input=script,
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=GUARD_SECONDS,
            check=False,
        )
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
        return done.stdout

    def shell(self, script: str, **variables: str) -> str:
        """Standard output of a shell script whose every command must succeed."""
        return self.run("bash", "-eu", "-o", "pipefail", script=script, **variables)
