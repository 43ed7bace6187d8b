"""LangChain: `ChatOpenAI` and `ChatAnthropic`, by LangChain's own standard tests."""

import json
import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
from harness import say

SUITES = {
    "TestChatOpenAI": "ChatOpenAI",
    "TestChatOpenAIResponses": "ChatOpenAI with responses",
    "TestChatAnthropic": "ChatAnthropic",
}
OPTIONS = (
    *("--noconftest", "-c", os.devnull, "-p", "no:cacheprovider", "-p", "no:terminal", "-o", "asyncio_mode=auto"),
    *(f"-oasyncio_default_{scope}_loop_scope=session" for scope in ("test", "fixture")),  # clients keep a pool
)


class Results:
    """A pytest plugin that prints a line for each test."""

    def __init__(self, upstream: str) -> None:
        self._upstream = upstream

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Print what became of a test; fixtures that fail count too."""
        if report.skipped or hasattr(report, "wasxfail") or (report.when != "call" and not report.failed):
            return
        _, suite, name = report.nodeid.split("::")
        fault = str(report.longrepr)[-300:].replace("\n", " ") if report.failed else ""
        say({"scenario": f"{SUITES[suite]}: {name}", "upstream": self._upstream, "ok": not fault, "detail": fault})


def run_suites(upstream: str, model: str) -> None:
    """Run both suites against one model."""
    os.environ |= {"CLIENT_ORIGIN": asked["origin"], "CLIENT_KEY": asked["key"], "CLIENT_MODEL": model}
    chosen = ["-k", " or ".join(asked["only"])] if asked["only"] else []
    pytest.main([*OPTIONS, *chosen, str(Path(__file__).with_name("langchain_suites.py"))], plugins=[Results(upstream)])


asked = json.loads(sys.argv[1])
if len(asked["models"]) > 1:
    names = ("langchain-openai", "langchain-anthropic", "langchain-tests")
    say({"versions": {name: version(name) for name in names}})
for upstream, model in asked["models"].items():
    if len(asked["models"]) == 1 or asked["only"]:
        run_suites(upstream, model)
    else:  # one process a model: LangChain keeps clients of a closed loop
        subprocess.run([sys.executable, __file__, json.dumps(asked | {"models": {upstream: model}})], check=False)
