"""LangChain: `ChatOpenAI` and `ChatAnthropic`, by LangChain's own standard tests."""

import json
import os
import sys
from pathlib import Path

import pytest
from harness import say
from importlib.metadata import version

SUITES = {"ChatOpenAI": "TestChatOpenAI", "ChatAnthropic": "TestChatAnthropic"}
SMOKE = "test_invoke or test_tool_calling"


class Results:
    """A pytest plugin that prints a line for each test."""

    def __init__(self, upstream: str) -> None:
        self._upstream = upstream

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Print what became of a test; fixtures that fail count too."""
        if report.when != "call" and not report.failed:
            return
        suite, _, name = report.nodeid.partition("::")[2].partition("::")
        label = {test: client for client, test in SUITES.items()}[suite]
        if report.skipped:
            return
        fault = str(report.longrepr)[-300:].replace("\n", " ") if report.failed else ""
        if hasattr(report, "wasxfail"):
            return
        say({"scenario": f"{label}: {name}", "upstream": self._upstream, "ok": not fault, "detail": fault})


asked = json.loads(sys.argv[1])
names = ("langchain-openai", "langchain-anthropic", "langchain-tests")
say({"versions": {name: version(name) for name in names}})
os.environ |= {"CLIENT_ORIGIN": asked["origin"], "CLIENT_KEY": asked["key"]}
for upstream, model in asked["models"].items():
    os.environ["CLIENT_MODEL"] = model
    options = ["--noconftest", "-c", os.devnull, "-o", "asyncio_mode=auto", "-p", "no:cacheprovider", "-p", "no:terminal"]
    chosen = ["-k", SMOKE] if asked["only"] else []
    pytest.main([*options, *chosen, str(Path(__file__).with_name("langchain_suites.py"))], plugins=[Results(upstream)])
