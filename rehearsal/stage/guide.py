"""The operator's guide as a script: its commands, run by a shell with stand-ins for `aws` and `npx`.

The command line `callmissed` is the real one, at the engines, by a clock that may be ahead.

What is about stacks, of which the engines have none, is left to the caller.
"""

import json
import os
import re
import socketserver
import subprocess
import sys
import threading
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from textwrap import dedent

from local.aws.account import REGION
from local.paths import ROOT
from local.ports import HOST
from rehearsal.errors import StageError
from rehearsal.stage.aws_command import CommandAnswer, run_command
from rehearsal.stage.engines import Engines

_PROGRAMS = ("aws", "npx")
_CLIENT = """#!{python} -IS
import json, socket, sys
connection = socket.create_connection(("127.0.0.1", {port}))
connection.sendall(json.dumps(["{name}", *sys.argv[1:]]).encode() + b"\\n")
answer = json.loads(connection.makefile().readline())
sys.stdout.write(answer["output"])
sys.stderr.write(answer["error"])
sys.exit(answer["status"])
"""
_COMMAND_LINE = "rehearsal.stage.command_line"
_OPERATOR = "AWS_ACCESS_KEY_ID=operator AWS_SECRET_ACCESS_KEY=operator"
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


def run_block(block: str, engines: Engines, folder: Path, *, ahead: int = 0) -> list[list[str]]:
    """Run one block, `ahead` seconds from now. Returns the commands, in order, that are about stacks.

    Raises StageError when one fails.
    """
    about_stacks: list[list[str]] = []
    with _serving(engines, about_stacks) as port:
        tools = _lay_out_programs(folder / "operator", port)
        _lay_out_command_line(tools, engines, ahead)
        done = subprocess.run(  # noqa: S603 the guide is part of the repository
            ["/bin/bash", "-eu", "-o", "pipefail", "-c", block],
            cwd=ROOT,
            env={"PATH": f"{tools}{os.pathsep}{os.defpath}"},
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        raise StageError(f"a command of the guide failed:\n{block}\n{done.stderr.strip()}")
    return about_stacks


def _lay_out_programs(folder: Path, port: int) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name in _PROGRAMS:
        program = folder / name
        program.write_text(_CLIENT.format(python=Path(sys.executable).resolve(), port=port, name=name))
        program.chmod(0o755)
    return folder


def _lay_out_command_line(folder: Path, engines: Engines, ahead: int) -> None:
    program = folder / "callmissed"
    variables = f"AWS_ENDPOINT_URL={engines.other_url} AWS_REGION={REGION} {_OPERATOR}"
    program.write_text(f'#!/bin/sh\n{variables} exec {sys.executable} -m {_COMMAND_LINE} {ahead} "$@"\n')
    program.chmod(0o755)


@contextmanager
def _serving(engines: Engines, about_stacks: list[list[str]]) -> Generator[int]:
    """Answer the programs from this process, which has imported boto3 already; gives the port."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            words: list[str] = json.loads(self.rfile.readline())
            answer = CommandAnswer()
            if words[0] != "aws" or words[1] == "cloudformation":
                about_stacks.append(words)
            else:
                answer = run_command(engines, words[1:])
            self.wfile.write(json.dumps(asdict(answer)).encode() + b"\n")

    with socketserver.TCPServer((HOST, 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


def is_destroy(command: Sequence[str]) -> bool:
    """Whether a command deletes all stacks."""
    return command[:1] == ["npx"] and "destroy" in command and "--all" in command


def is_unprotect(command: Sequence[str]) -> bool:
    """Whether a command ends a stack's termination protection."""
    return "update-termination-protection" in command and "--no-enable-termination-protection" in command
