"""The project's own uv, which reads the lock and installs wheels for another platform."""

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]


def uv(arguments: Sequence[str]) -> str:
    """Standard output of uv. Raises CalledProcessError."""
    program = shutil.which("uv", path=str(ROOT / ".tools" / "bin")) or shutil.which("uv") or "uv"
    return subprocess.run(  # noqa: S603 our own arguments for uv
        [program, "--quiet", *arguments], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True
    ).stdout
