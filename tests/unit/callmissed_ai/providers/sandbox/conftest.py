"""Fixtures of the sandbox's tests."""

import pytest

from tests.support.inference.sandbox_client import SandboxClient


@pytest.fixture
def sandbox() -> SandboxClient:
    return SandboxClient()
