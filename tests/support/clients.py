"""Clients of the API as programs of their own, each in the environment with the versions that it needs."""

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from local.paths import ROOT
from tests.support.model_server.server import WIRES

PROGRAMS = ROOT / "tests" / "conformance" / "clients"
ENVIRONMENTS = ROOT / ".tools" / "clients"
GUARD_SECONDS = 900


@dataclass(frozen=True, slots=True)
class Client:
    """A client: its name for readers, its program, and the environment that runs it, "" for that of the tests.

    `smoke` are the scenarios that run with every test, None for all. `models` are the models to run with, by the names
    of their columns.
    """

    name: str
    program: str
    smoke: Sequence[str] | None
    environment: str = ""
    models: Mapping[str, str] = field(default_factory=lambda: {name: f"via-{name}" for name in WIRES}, hash=False)

    @property
    def command(self) -> list[str]:
        """The command without its argument."""
        if self.program.endswith(".mjs"):
            return ["node", str(PROGRAMS / self.program)]
        python = ENVIRONMENTS / self.environment / "bin" / "python" if self.environment else sys.executable
        return [str(python), str(PROGRAMS / self.program)]


CLIENTS: Sequence[Client] = (
    Client("OpenAI SDK, Python", "run_openai.py", ("parallel tools", "responses, thinking with tools")),
    Client("OpenAI SDK, Node", "run_openai.mjs", ("stream", "tools")),
    Client("Anthropic SDK, Python", "run_anthropic.py", ("text", "thinking with tools")),
    Client("Anthropic SDK, Node", "run_anthropic.mjs", ("stream", "models", "errors")),
    Client(
        "AI SDK by Vercel",
        "run_ai_sdk.mjs",
        ("chat, tools", "responses, thinking with tools", "responses, conversation", "messages, streamed tools"),
    ),
    Client("LangChain", "run_langchain.py", ("test_bind_runnables_as_tools",), "langchain"),
    Client("Instructor", "run_instructor.py", ("chat, tools", "messages, tools"), "instructor"),
    Client("pydantic-ai", "run_pydantic_ai.py", ("chat, tools", "messages, stream"), "pydantic-ai"),
    Client("OpenAI Agents SDK", "run_openai_agents.py", ("responses, tools",), "openai-agents"),
)

SANDBOX: Mapping[str, str] = {"sandbox": "sandbox"}
"""What a test key's calls reach. The scenarios of services name their own models."""

SERVICE_CLIENTS: Sequence[Client] = (
    Client("OpenAI SDK, Node", "services_openai.mjs", None, models=SANDBOX),
    Client("AI SDK by Vercel", "services_ai_sdk.mjs", None, models=SANDBOX),
    Client("LangChain", "services_langchain.py", ("embeddings: tokens",), "langchain", SANDBOX),
    Client("pydantic-ai", "services_pydantic_ai.py", (), "pydantic-ai", SANDBOX),
    Client("OpenAI Agents SDK", "services_openai_agents.py", (), "openai-agents", SANDBOX),
)
"""Clients of what is beyond text. A scenario's name begins with its service."""


@dataclass(slots=True)
class Report:
    """What a client did: the versions it ran with, and each scenario's fault by upstream, "" for none."""

    versions: Mapping[str, str] = field(default_factory=dict[str, str])
    faults: dict[str, dict[str, str]] = field(default_factory=dict[str, dict[str, str]])

    def read(self, lines: Iterable[str]) -> None:
        """Take what a client prints; lines that are no JSON are its chatter."""
        for line in lines:
            if not line.startswith("{"):
                continue
            said: Mapping[str, Any] = json.loads(line)
            if "versions" in said:
                self.versions = said["versions"]
            else:
                self.faults.setdefault(said["scenario"], {})[said["upstream"]] = said["detail"]

    def failures(self) -> Iterator[str]:
        """What failed, in a line each; what the provider's API does not have is refused, which is no failure."""
        for scenario, by_upstream in self.faults.items():
            for upstream, fault in by_upstream.items():
                if fault and not is_refusal(fault):
                    yield f"{scenario} via {upstream}: {fault}"


def is_refusal(fault: str) -> bool:
    """Whether a request was refused by name, because the provider's API has no such thing."""
    return "its provider's API has no such thing" in fault


def run_client(client: Client, origin: str, key: str, only: Sequence[str] | None = None) -> Report:
    """Run `client` against the API at `origin`, with each of its models."""
    asked = {"origin": origin, "key": key, "models": client.models, "only": only}
    done = subprocess.run(
        [*client.command, json.dumps(asked)],
        cwd=PROGRAMS,
        env={**os.environ, **_QUIET},
        capture_output=True,
        text=True,
        timeout=GUARD_SECONDS,
        check=False,
    )
    report = Report()
    report.read(done.stdout.splitlines())
    if done.returncode or not report.faults:
        report.faults["the program"] = dict.fromkeys(client.models, (done.stderr or "it printed nothing")[-600:])
    return report


_QUIET = {"OPENAI_AGENTS_DISABLE_TRACING": "1", "LANGSMITH_TRACING": "false", "DO_NOT_TRACK": "1", "NO_COLOR": "1"}
"""No client may call its maker."""
