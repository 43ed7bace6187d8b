"""The official SDKs by name, each at any base URL."""

from collections.abc import Generator
from contextlib import contextmanager

from tests.support.sdks.interface import Sdk
from tests.support.sdks.node import node_sdk
from tests.support.sdks.python import AsyncPythonSdk, PythonSdk

SDKS = ("python", "python-async", "node")


@contextmanager
def sdk_at(name: str, base_url: str) -> Generator[Sdk]:
    """The SDK of that name until the block ends."""
    match name:
        case "python":
            yield PythonSdk(base_url)
        case "python-async":
            with AsyncPythonSdk.running(base_url) as sdk:
                yield sdk
        case _:
            with node_sdk(base_url) as sdk:
                yield sdk
