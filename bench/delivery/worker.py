"""The process that is measured: reads one job (JSON) and writes the result.

`python -m bench.delivery.worker deliver|fan_out|delays|soak`.
"""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from bench.delivery import delays, soak, throughput
from bench.delivery.delays import Scenario
from bench.delivery.soak import Soak, SoakLoad
from bench.delivery.throughput import Load, Rate
from bench.servers import ROOT, BenchError

ENVIRONMENT = {"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local", "POWERTOOLS_LOG_LEVEL": "WARNING"}
MAX_SECONDS = 900.0


class Workers:
    """Starts a worker process for each job, on the cores `on` (else ours)."""

    def __init__(self, on: Sequence[int]) -> None:
        self._on = on

    def deliver(self, load: Load) -> Rate:
        """As `throughput.deliver`."""
        return Rate(**self._do("deliver", load))

    def fan_out(self, load: Load) -> Rate:
        """As `throughput.fan_out`."""
        return Rate(**self._do("fan_out", load))

    def delays(self, scenario: Scenario) -> list[float]:
        """As `delays.measure`."""
        return self._do("delays", scenario)

    def soak(self, load: SoakLoad) -> Soak:
        """As `soak.soak`."""
        return Soak(**self._do("soak", load))

    def _do(self, what: str, job: Load | Scenario | SoakLoad) -> Any:
        inherited = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        done = subprocess.run(
            [sys.executable, "-m", "bench.delivery.worker", what],
            cwd=ROOT,
            env=inherited | ENVIRONMENT,
            input=json.dumps(asdict(job)),
            capture_output=True,
            text=True,
            timeout=MAX_SECONDS,
            preexec_fn=(lambda: os.sched_setaffinity(0, self._on)) if self._on else None,
        )
        if done.returncode:
            raise BenchError(f"the worker failed to {what}:\n{done.stderr[-2000:]}")
        return json.loads(done.stdout.splitlines()[-1])


async def _outcome(what: str, job: dict[str, Any]) -> Any:
    match what:
        case "deliver":
            return asdict(await throughput.deliver(Load(**job)))
        case "fan_out":
            return asdict(await throughput.fan_out(Load(**job)))
        case "soak":
            return asdict(await soak.soak(SoakLoad(**job)))
        case _:
            return await delays.measure(Scenario(**job))


def main() -> None:
    """Do the job that the input names, on asyncio's own loop, as Lambda does."""
    print(json.dumps(asyncio.run(_outcome(sys.argv[1], json.loads(sys.stdin.read())))))


if __name__ == "__main__":
    main()
