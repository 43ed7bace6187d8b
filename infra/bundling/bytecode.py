"""Bytecode beside the sources of a bundle.

Lambda's folders are read-only, so without it every new process compiles all that it imports: two thirds of its start.
Only the interpreter's own version can write it. Where the machine has none, the bundle is complete but slower to start.
"""

import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

_VERSION = "import sys; print('%d.%d' % sys.version_info[:2])"


@cache
def interpreter(version: str) -> str | None:
    """A Python of that version, such as `3.13`: this one, or one on the path; None where there is none."""
    found = (sys.executable, shutil.which(f"python{version}"))
    return next((each for each in found if each and _version_of(each) == version), None)


def add_bytecode(folder: Path, version: str) -> None:
    """Compile every module below `folder`. The same sources give the same bytes, wherever `folder` is.

    Nothing compares it with its source again ("unchecked"): a bundle's files have one date.
    """
    if program := interpreter(version):
        mode = ["--invalidation-mode", "unchecked-hash", "-s", str(folder), "-p", "/"]
        subprocess.run([program, "-m", "compileall", "-q", *mode, str(folder)], check=True)  # noqa: S603 our own arguments


def _version_of(program: str) -> str:
    done = subprocess.run([program, "-c", _VERSION], capture_output=True, text=True, check=False)  # noqa: S603 as above
    return done.stdout.strip()
