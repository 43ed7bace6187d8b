"""`python -m rehearsal`: rehearse a deployment of the working tree. Ends with 1 and the reason where it fails."""

import sys
import tempfile
from pathlib import Path

from local.errors import LocalStackError
from local.stack.environment import clear_aws_environment
from rehearsal.errors import RehearsalError
from rehearsal.run import rehearse


def main() -> int:
    """Rehearse in a temporary folder, which stays where the rehearsal fails."""
    clear_aws_environment()
    folder = Path(tempfile.mkdtemp(prefix="callmissed-rehearsal-"))
    try:
        rehearse(folder, _report)
    except (RehearsalError, LocalStackError) as error:
        _report(f"failed: {error}\nLogs and templates are in {folder}")
        return 1
    _remove(folder)
    return 0


def _report(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _remove(folder: Path) -> None:
    import shutil

    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
