"""`python -m rehearsal.stage.command_line SECONDS WORD…`: the command line, by a clock that is SECONDS ahead."""

import sys
import time
from collections.abc import Callable


def main() -> None:
    """Run `callmissed WORD…`."""
    ahead = int(sys.argv[1]) * 1_000_000_000
    time.time_ns = _ahead(time.time_ns, ahead)
    sys.argv = ["callmissed", *sys.argv[2:]]
    from cli.main import app

    app()


def _ahead(clock: Callable[[], int], nanoseconds: int) -> Callable[[], int]:
    return lambda: clock() + nanoseconds


if __name__ == "__main__":
    main()
