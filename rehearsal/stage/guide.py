"""The operator's guide as a script: its commands, run by a shell with stand-ins for `aws` and `npx`.

The stand-in for `aws` calls the engines as the AWS CLI calls AWS: an operation's name and parameters are read from
botocore's model, output from `--query` and `--output text`. What the engines do not have is recorded for the plan.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from textwrap import dedent

from local.paths import ROOT
from rehearsal.errors import StageError
from rehearsal.stage.engines import Engines

GUIDE = ROOT / "docs" / "operations.md"
_BLOCK = re.compile(r"^ *```sh\n(.*?)^ *```$", re.DOTALL | re.MULTILINE)


def commands_of(section: str, stage: str, account: str, region: str) -> list[str]:
    """The shell blocks of a section of the guide, for another stage, account and region than the guide's.

    Raises StageError for a section that the guide does not have.
    """
    text = GUIDE.read_text()
    heading = re.search(rf"^(#+) {re.escape(section)}$", text, re.MULTILINE)
    if heading is None:
        raise StageError(f"the guide has no section '{section}'")
    rest = text[heading.end() :]
    end = re.search(rf"^#{{1,{len(heading[1])}}} ", rest, re.MULTILINE)
    blocks: list[str] = _BLOCK.findall(rest[: end.start() if end else None])
    replaced = {"123456789012": account, "ap-south-1": region}
    for index, block in enumerate(blocks):
        for old, new in replaced.items():
            block = block.replace(old, new)
        blocks[index] = re.sub(r"(?<=[-/= ])prod\b", stage, block)
    return [dedent(block) for block in blocks]


def run_block(block: str, engines: Engines, folder: Path) -> list[list[str]]:
    """Run one block. Returns the commands, in order, that are about stacks. Raises StageError when one fails."""
    tools, record = folder / "operator", folder / "stack-commands.jsonl"
    tools.mkdir(parents=True, exist_ok=True)
    record.write_text("")
    for name in ("aws", "npx"):
        program = tools / name
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m rehearsal.stage.aws_command {name} "$@"\n')
        program.chmod(0o755)
    variables = {
        "PATH": f"{tools}{os.pathsep}{os.defpath}",
        "PYTHONPATH": str(ROOT),
        "REHEARSAL_DYNAMODB": engines.dynamodb_url,
        "REHEARSAL_AWS": engines.other_url,
        "REHEARSAL_RECORD": str(record),
    }
    done = subprocess.run(  # noqa: S603 the guide is part of the repository
        ["/bin/bash", "-eu", "-o", "pipefail", "-c", block],
        cwd=ROOT,
        env=variables,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise StageError(f"a command of the guide failed:\n{block}\n{done.stderr.strip()}")
    return [json.loads(line) for line in record.read_text().splitlines()]


def is_destroy(command: Sequence[str]) -> bool:
    """Whether a command deletes all stacks."""
    return command[:1] == ["npx"] and "destroy" in command and "--all" in command


def is_unprotect(command: Sequence[str]) -> bool:
    """Whether a command ends a stack's termination protection."""
    return "update-termination-protection" in command and "--no-enable-termination-protection" in command
