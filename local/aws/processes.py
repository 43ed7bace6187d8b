"""Child processes that never outlive the local stack, however it ends."""

import signal
import subprocess
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from os import killpg
from pathlib import Path

STOP_SECONDS = 5.0

# The shell holds the read end of a pipe whose only write end is ours. When we close it, or die in any way, SIGKILL
# included, the guard reads end-of-file and stops the program. Works on Linux and macOS alike.
_GUARDED = """
exec 3<&0 </dev/null
"$@" 3<&- &
program=$!
{
    read -r _ <&3
    kill -TERM $program
    for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
        kill -0 $program || exit
        sleep 0.1
    done
    kill -KILL $program
} 2>/dev/null &
guard=$!
wait $program
status=$?
kill -KILL $guard 2>/dev/null
exit $status
"""


@contextmanager
def running(command: Sequence[str], log: Path) -> Generator[subprocess.Popen[bytes]]:
    """Run `command` with its output in `log` until the block, or this process, ends.

    The process has its own group, so that Ctrl-C in a terminal reaches us alone and we stop it in order.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603  the program is the caller's, none of its words is shell
            ["/bin/sh", "-c", _GUARDED, "guarded", *command],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        _stop(process)


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.stdin is not None:
        process.stdin.close()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        with suppress(ProcessLookupError):
            killpg(process.pid, signal.SIGKILL)
        process.wait()
