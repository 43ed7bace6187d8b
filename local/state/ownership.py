"""Which folders the local stack may write into: new ones, empty ones, and those that it made before.

A folder of the stack holds the file `callmissed-state`. Stacks before that file existed left a `secrets.json` with a
pepper, which is taken for the same.
"""

import json
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from local.errors import LocalStackError

MARKER = "callmissed-state"
_MARKER_TEXT = "State of a CallMissed local stack. A folder without this file is never written into or reset.\n"


def claim(folder: Path) -> None:
    """Create `folder`, or take it when it is empty or the stack's own. A foreign folder stays as it is.

    Raises LocalStackError for a foreign folder, and for one that can't be made or written.
    """
    with readable_errors(folder):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not _is_ours(folder):
            raise LocalStackError(
                f"The folder {folder} holds files that are not a local stack's; choose a new or empty one as STATE."
            )
        # The marker comes first, so that a start that breaks off leaves a folder that the next one knows.
        (folder / MARKER).write_text(_MARKER_TEXT)
        ignore = folder / ".gitignore"
        if not ignore.exists():
            ignore.write_text("*\n")


@contextmanager
def readable_errors(folder: Path) -> Generator[None]:
    """Raise LocalStackError, in one line about `folder`, for an OSError in the block."""
    try:
        yield
    except OSError as error:
        where = error.filename or folder
        raise LocalStackError(
            f"The state folder {folder} can't be used: {where}: {error.strerror}. Choose another STATE."
        ) from None


def _is_ours(folder: Path) -> bool:
    return (folder / MARKER).is_file() or not any(folder.iterdir()) or _has_pepper(folder / "secrets.json")


def _has_pepper(secrets: Path) -> bool:
    try:
        return "pepper" in json.loads(secrets.read_bytes())
    except (FileNotFoundError, IsADirectoryError, ValueError, TypeError):
        return False
