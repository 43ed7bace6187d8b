"""CPU that it takes a fresh interpreter to import each function's entry, next to FastAPI and a boto3 client."""

import os
import subprocess
import sys
from collections.abc import Mapping

from bench.servers import ROOT, BenchError
from callmissed.platform.functions import AUTHORIZER, FUNCTIONS, Function

REFERENCE = "fastapi + boto3 client"
CLIENT = "boto3 client"
AUTHORIZER_ENTRY = (AUTHORIZER.handler or "").rpartition(".")[0]
_CLIENT_CODE = "import boto3; boto3.client('dynamodb', region_name='us-east-1')"
_REFERENCE_CODE = f"import fastapi; {_CLIENT_CODE}"
_TIMED = "import time; before = time.process_time(); {code}; print(time.process_time() - before)"


def entry_codes() -> dict[str, str]:
    """The import statement of every deployable entry, as Lambda or uvicorn carries it out, and the references'."""
    return {REFERENCE: _REFERENCE_CODE, CLIENT: _CLIENT_CODE} | dict(_entry(function) for function in FUNCTIONS)


def _entry(function: Function) -> tuple[str, str]:
    module, name = function.web_app.split(":") if function.web_app else (function.handler or "").rsplit(".", 1)
    return module, f"from {module} import {name}"


def import_cpu(env: Mapping[str, str], repeats: int) -> dict[str, float]:
    """Least CPU milliseconds of each import over `repeats` turns. Raises `BenchError` when one fails."""
    codes = entry_codes()
    for code in codes.values():
        _measure(code, env)  # writes the bytecode
    taken: dict[str, list[float]] = {name: [] for name in codes}
    for _ in range(repeats):
        for name, code in codes.items():
            taken[name].append(_measure(code, env))
    return {name: 1000 * min(values) for name, values in taken.items()}


def ratios(cpu: Mapping[str, float]) -> dict[str, float]:
    """Each entry's import CPU as a multiple of the reference's."""
    return {name: value / cpu[REFERENCE] for name, value in cpu.items() if name not in (REFERENCE, CLIENT)}


def authorizer_ratio(cpu: Mapping[str, float]) -> float:
    """The authorizer's import CPU as a multiple of a boto3 client's alone: it stands before every other function."""
    return cpu[AUTHORIZER_ENTRY] / cpu[CLIENT]


def _measure(code: str, env: Mapping[str, str]) -> float:
    command = [sys.executable, "-c", _TIMED.format(code=code)]
    whole_env = {"PATH": os.environ["PATH"], **env}
    done = subprocess.run(command, cwd=ROOT, env=whole_env, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchError(f"'{code}' fails:\n{done.stderr[-2000:]}")
    return float(done.stdout)
